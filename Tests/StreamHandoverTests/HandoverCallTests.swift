import ReflectorModel
import Testing

@testable import StreamHandover

@Suite("Requests of streaming servers")
struct HandoverCallTests {
    private let news = StreamName("live/news")!

    private func call(_ method: String, _ path: String, _ query: String = "", _ body: String = "") throws
        -> HandoverCall
    {
        try HandoverCall(method: method, path: path, query: query, body: Array(body.utf8))
    }

    @Test("PUT requests, DELETE withdraws, and POST does both for clients without these")
    func plain() throws {
        let ask = try call("PUT", "/request/live/news", "to=192.0.2.7%3A5000&client=a&seconds=10")
        #expect(ask.action == .ask(news, id: "a", waits: true))
        #expect(ask.wanted == Endpoint("192.0.2.7:5000"))
        #expect(ask.lifetime == .seconds(10))
        #expect(try call("DELETE", "/request/live/news").action == .withdraw(news, id: ""))
        #expect(try call("POST", "/request/live/news").action == .ask(news, id: "", waits: true))
        #expect(try call("POST", "/request/live/news", "seconds=0").action == .withdraw(news, id: ""))
        #expect(try call("PUT", "/request/live/news", "family=6").isV4 == false)
        #expect(try call("GET", "/request").action == .list)
    }

    @Test("The hooks of nginx-rtmp: on_play, on_update, on_play_done and on_done")
    func nginx() throws {
        func hook(_ call: String, _ more: String = "") throws -> HandoverCall {
            try self.call(
                "POST", "/hooks/nginx", "",
                "app=live&flashver=LNX%209&swfurl=&tcurl=rtmp://h/live&pageurl=&addr=10.0.0.1&clientid=7&call=\(call)"
                    + "&name=news\(more)")
        }
        #expect(try hook("play").action == .ask(news, id: "nginx:7", waits: true))
        #expect(try hook("update_play").action == .ask(news, id: "nginx:7", waits: false))
        #expect(try hook("play_done").action == .withdraw(news, id: "nginx:7"))
        #expect(try hook("done").action == .withdrawAll(id: "nginx:7"))
        #expect(try hook("update_publish").action == .ignore)
        #expect(try hook("play", "&name=other&clientid=8&to=10.0.0.1:9999&app=x").wanted == nil)
        // What a player appends to its URL changes nothing.
        #expect(try hook("play", "&name=other&clientid=8").action == .ask(news, id: "nginx:7", waits: true))
        #expect(throws: HandoverRefusal.malformed) { try hook("steal") }
    }

    @Test("The hooks of SRS: on_play, on_stop and the heartbeat; its ids are text or numbers")
    func srs() throws {
        func hook(_ body: String) throws -> HandoverCall.Action { try call("POST", "/hooks/srs", "", body).action }
        #expect(
            try hook(#"{"action":"on_play","client_id":"9308h583","app":"live","stream":"news","param":"?a=b"}"#)
                == .ask(news, id: "srs:9308h583", waits: true))
        #expect(
            try hook(#"{"action":"on_stop","client_id":1985,"app":"live","stream":"news"}"#)
                == .withdraw(news, id: "srs:1985"))
        #expect(try hook(#"{"device_id":"my-srs","ip":"192.0.2.7"}"#) == .renewAll(prefix: "srs:"))
        #expect(try hook(#"{"action":"on_publish","client_id":"1"}"#) == .ignore)
        for body in ["", "{", "[]", "0", #"{"action":"on_play"}"#, #"{"action":7}"#, "{}", #"{"client_id":"1"}"#] {
            #expect(throws: HandoverRefusal.malformed, "\(body)") { try hook(body) }
        }
        #expect(throws: HandoverRefusal.malformed) { try hook(String(repeating: "[", count: 10_000)) }
    }

    @Test("Names that no stream can have are refused, with whatever they try to inject")
    func names() {
        for path in [
            "/request/", "/request/Live", "/request/live//news", "/request/live/news%0d%0aX:1", "/request/../etc",
            "/request/" + String(repeating: "a/", count: 100) + "a", "/", "/hooks/other", "/request",
        ] {
            #expect(throws: HandoverRefusal.malformed, "\(path)") { try call("PUT", path) }
        }
        for name in ["news%0D%0ALocation:%20http://x", "..", "NEWS", "", "a%00b"] {
            #expect(throws: HandoverRefusal.absent, "\(name)") {
                try call("POST", "/hooks/nginx", "", "call=play&clientid=1&app=live&name=\(name)")
            }
        }
    }

    @Test("Malformed forms and parameters are refused")
    func malformed() {
        for body in [
            "", "call=play", "call=play&clientid=1", "call=play&clientid=&app=live&name=news", "call=%zz", "call=%4",
            "call=%ff", "call=%a9", "call=%c3", String(repeating: "a=b&", count: 65),
        ] {
            #expect(throws: HandoverRefusal.malformed, "\(body)") { try call("POST", "/hooks/nginx", "", body) }
        }
        for query in ["to=", "to=host:5000", "seconds=-1", "seconds=1e9", "family=5", "too=1.2.3.4:5", "to=1&to=2"] {
            #expect(throws: HandoverRefusal.malformed, "\(query)") { try call("PUT", "/request/live/news", query) }
        }
        #expect(throws: HandoverRefusal.malformed) { try call("GET", "/request/live/news") }
        #expect(throws: HandoverRefusal.malformed) { try call("TRACE", "/request/live/news") }
    }
}
