import Foundation
import Logging
import NIOCore
import NIOPosix
import ReflectorModel
import TestSupport
import Testing

@testable import RelayService

/// Requests of the forms that encoders, proxies and scripts send.
extension IngestServerTests {
    private static let chunked = "Transfer-Encoding: chunked\r\n\r\n"

    /// A chunked body of TS packets, with chunk extensions and a trailer.
    private func chunkedBody(packets: Int) -> String {
        // Only ASCII, so that conversion to a String changes no byte.
        let packet = "G" + String(repeating: "x", count: 187)
        let body = (0..<packets).map { _ in packet }.joined()
        return "\(String(body.count, radix: 16));name=value\r\n\(body)\r\n0;last\r\nX-Sum: 1\r\n\r\n"
    }

    @Test("Targets in absolute form, percent-encoded names and keys, and the key as a password are accepted")
    func targets() async throws {
        let sink = MemorySink()
        try await withServer(sink: sink, nil) { server, _ in
            let basic = Data("anybody:\(Self.key)".utf8).base64EncodedString()
            let heads = [
                "PUT http://entrypoint.example:8000/live/news?key=\(Self.key) HTTP/1.1\r\nHost: x\r\n",
                "PUT HTTP://x/live/news?key=\(Self.key) HTTP/1.1\r\nHost: x\r\n",
                "POST /live%2Fne%77s?a=b&key=%30\(Self.key.dropFirst()) HTTP/1.1\r\nHost: x\r\n",
                "PUT /live/news HTTP/1.1\r\nHost: x\r\nAuthorization: bearer \(Self.key)\r\n",
                "PUT /live/news HTTP/1.1\r\nHost: x\r\nAuthorization: Basic \(basic)\r\n",
                "PUT /live/news?key=\(Self.key) HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\n",
            ]
            for (index, head) in heads.enumerated() {
                let answer = try await exchange(server, head + Self.chunked + chunkedBody(packets: 7)).answer
                #expect(answer.contains("live/news: 1316 bytes in 1 packets"), "\(head): \(answer)")
                #expect(sink.now.bytes.count == (index + 1) * 1_316)
            }
            // HTTP/1.0: Host is optional, and there is no 100 Continue.
            let body = "G" + String(repeating: "y", count: 187)
            let old = try await exchange(
                server,
                "POST /live/news?key=\(Self.key) HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 188\r\n\r\n" + body
            )
            #expect(old.answer.hasPrefix("HTTP/1.1 200"), "\(old.answer)")
        }
    }

    @Test("Malformed requests get the status that the RFCs require, and a line in the log")
    func malformed() async throws {
        let sink = MemorySink()
        let log = LogCollector()
        try await withServer(sink: sink, nil, logger: log.logger) { server, _ in
            let target = "/live/news?key=\(Self.key)"
            let cases: [(status: Int, text: String)] = [
                (400, "PUT \(target) HTTP/1.1\r\n" + Self.chunked),
                (400, "PUT \(target) HTTP/1.1\r\nHost: a\r\nHost: b\r\n" + Self.chunked),
                (400, "PUT \(target) HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nContent-Length: 10\r\n\r\n"),
                (400, "PUT \(target) HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"),
                (400, "PUT \(target) HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n"),
                (400, "PUT \(target) HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n" + Self.chunked),
                (400, "PUT ftp://x\(target) HTTP/1.1\r\nHost: x\r\n" + Self.chunked),
                (404, "PUT /live%zz/news?key=\(Self.key) HTTP/1.1\r\nHost: x\r\n" + Self.chunked),
                (404, "PUT /live/../news?key=\(Self.key) HTTP/1.1\r\nHost: x\r\n" + Self.chunked),
                (404, "PUT /live/%00?key=\(Self.key) HTTP/1.1\r\nHost: x\r\n" + Self.chunked),
                (401, "PUT /live/news?key=%zz HTTP/1.1\r\nHost: x\r\n" + Self.chunked),
                (411, "PUT \(target) HTTP/1.1\r\nHost: x\r\n\r\n"),
                (417, "PUT \(target) HTTP/1.1\r\nHost: x\r\nExpect: a-miracle\r\n" + Self.chunked),
            ]
            for (index, (status, text)) in cases.enumerated() {
                let answer = try await exchange(server, text, from: "127.47.1.\(index + 1)").answer
                #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(text): \(answer)")
            }
            #expect(sink.now.opened.isEmpty)
            #expect(
                log.lines.contains { $0.contains("push refused: malformed request") && $0.contains("from=127.47.1.1") })
            #expect(log.lines.allSatisfy { !$0.contains(Self.key) })
        }
    }

    @Test("A body that is not MPEG-TS is refused with 415, and none of it is forwarded")
    func notTransportStream() async throws {
        let sink = MemorySink()
        var configuration = try configuration()
        configuration.junkBytesMax = 100_000
        let log = LogCollector()
        try await withServer(sink: sink, configuration, logger: log.logger) { server, folder in
            let path = folder + "/film.mp4"
            for count in [2_000, 3_000_000] {
                try Data(repeating: 0x20, count: count).write(to: URL(fileURLWithPath: path))
                let result = try await run(
                    [
                        "curl", "-s", "--max-time", "10", "-w", "%{http_code}", "-T", path,
                        try url(server, "/live/news?key=\(Self.key)"),
                    ], folder: folder)
                #expect(result.output.hasSuffix("415"), "\(result.output)")
            }
            #expect(sink.now.bytes.isEmpty)
            #expect(log.lines.contains { $0.contains("does not send MPEG-TS") && $0.contains("-f mpegts") })
        }
    }

    @Test("A stream split over many requests at any byte comes out whole; a dead encoder's partial packet is dropped")
    func manyRequests() async throws {
        let sink = MemorySink()
        try await withServer(sink: sink, nil) { server, folder in
            let stream = transportStream(packets: 200)
            let target = try url(server, "/live/news?key=\(Self.key)")
            var start = 0
            for length in [10_000, 5_000, 188, 77, 12_335, 10_000] {
                let path = "\(folder)/part"
                try Data(stream[start..<start + length]).write(to: URL(fileURLWithPath: path))
                start += length
                #expect(try await run(["curl", "-s", "-T", path, target], folder: folder).status == 0)
            }
            #expect(sink.now.bytes == Array(stream[..<(start / 188 * 188)]))
            // This request stops early.
            let before = sink.now.bytes.count
            let address = try #require(server.httpEndpoint)
            let client = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: address.address.description, port: Int(address.port)).get()
            let head = "PUT /live/news?key=\(Self.key) HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
            try await client.writeAndFlush(ByteBuffer(bytes: Array(head.utf8) + stream[..<1_000]))
            #expect(await eventually { sink.now.bytes.count == before + 940 })
            try await client.close()
            #expect(await eventually { sink.now.closed.count == 7 })
            #expect(sink.now.bytes.count == before + 940)
            let path = "\(folder)/next"
            try Data(stream[..<1_880]).write(to: URL(fileURLWithPath: path))
            #expect(try await run(["curl", "-s", "-T", path, target], folder: folder).status == 0)
            #expect(sink.now.bytes.suffix(1_880) == stream[..<1_880])
        }
    }
}

@Suite("Addresses of pulls")
struct PullAddressTests {
    @Test("User and password go into the Authorization field, not into the URL, and never into a log")
    func credentials() throws {
        let address = try #require(PullAddress("http://user:pa%20ss@[::1]:9000/a?token=s#x"))
        #expect(address.url == "http://[::1]:9000/a?token=s")
        #expect(address.authorization == "Basic dXNlcjpwYSBzcw==")
        #expect(address.redacted == "http://[::1]:9000/a?…")
        #expect(try #require(PullAddress("https://host/x")).authorization == nil)
        for bad in ["", "host/x", "ftp://host/x", "http://", "http:///x", "http://host:99999/"] {
            #expect(PullAddress(bad) == nil, "\(bad)")
        }
    }

    @Test(
        "A redirect keeps credentials only at the same server, and never leads from https to http",
        arguments: [
            ("http://u:p@a/x/y", "z?t=a%20b", "http://a/x/z?t=a%20b", true),
            ("http://u:p@a/x/y", "/z", "http://a/z", true),
            ("http://u:p@a:80/x", "http://a/z", "http://a/z", true),
            ("http://u:p@a/x", "http://b/z", "http://b/z", false),
            ("http://u:p@a/x", "//b/z", "http://b/z", false),
            ("http://u:p@a/x", "http://a:81/z", "http://a:81/z", false),
            ("http://u:p@a/x", "https://a/z", "https://a/z", false),
            ("https://u:p@a/x", "https://A:443/z", "https://A:443/z", true),
            ("https://u:p@a/x", "http://a/z", nil, false),
            ("http://u:p@a/x", "file:///etc/passwd", nil, false),
        ] as [(String, String, String?, Bool)])
    func redirect(from: String, location: String, expected: String?, isAuthorized: Bool) throws {
        let address = try #require(PullAddress(from))
        guard let expected else {
            #expect(throws: PullAddress.Problem.self) { try address.following(location) }
            return
        }
        let next = try address.following(location)
        #expect(next.url == expected)
        #expect((next.authorization != nil) == isAuthorized)
    }

    @Test("Credentials in a redirect go only to the server that the redirect names")
    func redirectWithCredentials() throws {
        let next = try #require(PullAddress("http://u:p@a/x")).following("http://c:d@b/z")
        #expect(next.url == "http://b/z" && next.authorization == "Basic Yzpk")
    }
}
