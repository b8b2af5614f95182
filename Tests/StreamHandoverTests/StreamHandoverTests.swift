import DatagramIO
import Foundation
import HTTPFetching
import Logging
import NIOCore
import ReflectorModel
import Synchronization
import TestSupport
import Testing

@testable import StreamHandover
@testable import StreamingServer

/// Receives datagrams for a test.
private final class Receiver: DatagramHandler {
    static let received = Mutex<[UInt16: [[UInt8]]]>([:])

    func receive(_ datagram: ReceivedDatagram, on socket: DatagramSocket, at now: MonotonicInstant) {
        Self.received.withLock { $0[socket.local.port, default: []].append(Array(datagram.bytes)) }
    }

    /// Runs `body` with the address of a socket that receives.
    static func with<Result>(_ body: (Endpoint) async throws -> Result) async throws -> Result {
        let loop = try DatagramLoop()
        let socket = try DatagramSocket(bind: Endpoint("127.47.0.7:0")!)
        let local = socket.local
        try loop.add(socket)
        try loop.start(handler: Receiver())
        defer {
            loop.stop()
            loop.join()
        }
        return try await body(local)
    }

    static func bytes(at endpoint: Endpoint) -> [[UInt8]] { received.withLock { $0[endpoint.port] ?? [] } }
}

@Suite("Streams over UDP for other streaming servers", .serialized)
struct StreamHandoverTests {
    private let news = StreamName("live/news")!
    private let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Runs a hand-over; `body` gets the hub, the address for requests, and the counters.
    private func serve(
        _ configure: (inout HandoverConfiguration) -> Void = { _ in },
        _ body: @escaping @Sendable (LiveStreamHub, Endpoint, StreamHandover) async throws -> Void
    ) async throws {
        let hub = LiveStreamHub(logger: silent)
        var configuration = HandoverConfiguration(endpoint: Endpoint("127.47.0.1:0")!)
        configuration.allow = [CIDRBlock("127.47.0.0/24")!]
        configuration.firstByteWait = .milliseconds(100)
        configure(&configuration)
        let ready = Mutex<(@Sendable (Endpoint) -> Void)?>(nil)
        let handover = try StreamHandover(configuration: configuration, hub: hub, logger: silent) { endpoint in
            ready.withLock { $0 }?(endpoint)
        }
        try await withRunningService(
            run: { announce in
                ready.withLock { $0 = announce }
                try await handover.run()
            }, { try await body(hub, $0, handover) })
    }

    private static func send(
        _ url: String, _ body: String = "\n"
    ) async throws -> (status: UInt, text: String) {
        var request = HTTPFetch(url)
        request.body = Array(body.utf8)
        request.timeout = .seconds(10)
        let answer = try await request.wholeAnswer(bodyBytesMax: 1 << 20)
        return (answer.status, String(buffer: answer.body).trimmingCharacters(in: .whitespacesAndNewlines))
    }

    /// Transport packets with their numbers.
    private static func packets(_ range: Range<Int>) -> [UInt8] {
        range.flatMap { (number: Int) -> [UInt8] in
            let counter = 0x10 | UInt8(number & 15)
            let head: [UInt8] = [0x47, 0, 0x64, counter, UInt8(number >> 8 & 255), UInt8(number & 255)]
            return head + [UInt8](repeating: 0xff, count: 182)
        }
    }

    private static func deliver(_ range: Range<Int>, to hub: LiveStreamHub, _ name: StreamName) {
        for start in stride(from: range.lowerBound, to: range.upperBound, by: 7) {
            packets(start..<start + 7).withUnsafeBytes {
                _ = hub.receiver(of: name)?.deliver($0, at: MonotonicInstant(nanoseconds: Int64(start) * 1_000_000))
            }
        }
    }

    @Test("A requested stream comes as datagrams of seven packets, complete and in order, until it is withdrawn")
    func unicast() async throws {
        let name = news
        try await Receiver.with { target in
            try await serve { hub, endpoint, handover in
                let url = "http://\(endpoint)/request/live/news?to=\(target)"
                #expect(try await Self.send(url) == (202, "udp://@\(target)"))
                Self.deliver(0..<700, to: hub, name)
                try await eventually("100 datagrams", every: .milliseconds(5)) {
                    Receiver.bytes(at: target).count >= 100
                }
                #expect(try await Self.send(url) == (200, "udp://@\(target)"))
                let received = Receiver.bytes(at: target)
                #expect(received.allSatisfy { $0.count == 1_316 })
                #expect(received.flatMap { $0 } == Self.packets(0..<700))
                let output = try #require(await handover.outputs().first)
                #expect(output.state == "flowing" && output.requests == 1 && output.datagrams == 100)
                #expect(output.servers == ["127.0.0.1"])
                #expect(try await Self.send(url + "&seconds=0").text == "withdrawn")
                #expect(await handover.outputs().isEmpty)
                #expect(handover.statistics["output_requests_renewed"] == 1)
                #expect(handover.statistics["output_requests_withdrawn"] == 1)
                Self.deliver(700..<707, to: hub, name)
                #expect(try await Self.send("http://\(endpoint)/request/live/news?to=192.0.2.7:5000").status == 403)
                #expect(handover.statistics["output_refused_target"] == 1)
                #expect(Receiver.bytes(at: target).count == 100)
            }
        }
    }

    @Test("The beginning of a stream is sent no faster than the limit allows")
    func pace() async throws {
        let name = news
        try await Receiver.with { target in
            try await serve {
                $0.rateOfOutputMax = 4_000_000
            } _: { hub, endpoint, handover in
                let tap = try hub.tap(name)
                Self.deliver(0..<1_400, to: hub, name)
                let start = ContinuousClock.now
                _ = try await Self.send("http://\(endpoint)/request/live/news?to=\(target)")
                try await eventually("200 datagrams", every: .milliseconds(5)) {
                    Receiver.bytes(at: target).count >= 200
                }
                // 200 datagrams at 4 Mb/s take 526 ms, less the burst of 10 ms.
                #expect(ContinuousClock.now - start > .milliseconds(500))
                #expect(handover.statistics["output_throttled"] ?? 0 > 0)
                withExtendedLifetime(tap) {}
            }
        }
    }

    @Test("A stream that the network does not have is 404 with the reason, and the request is not kept")
    func absent() async throws {
        try await serve {
            $0.firstByteWait = .seconds(5)
        } _: { hub, endpoint, handover in
            hub.setDemandHandler { stream, isWanted in
                if isWanted { hub.unavailable(stream: stream, reason: "no such stream") }
            }
            let form = "call=play&app=live&name=nothing&clientid=1"
            let answer = try await Self.send("http://\(endpoint)/hooks/nginx?to=127.47.0.9:5000", form)
            #expect(answer == (404, "stream live/nothing is not here: no such stream"))
            #expect(await handover.outputs().isEmpty)
            #expect(handover.statistics["output_streams_absent"] == 1)
            let srs = #"{"action":"on_play","client_id":"1","app":"live","stream":"nothing"}"#
            let second = try await Self.send("http://\(endpoint)/hooks/srs?to=127.47.0.9:5000", srs)
            #expect(second == (404, #"{"code":404}"#))
        }
    }

    @Test("SRS gets code 0; nginx and SRS withdraw with their own hooks; a request expires")
    func hooks() async throws {
        try await serve {
            $0.lifetime = .seconds(1)
        } _: { _, endpoint, handover in
            let srs = "http://\(endpoint)/hooks/srs?to=127.47.0.9:5000"
            let play = #"{"action":"on_play","client_id":"1","app":"live","stream":"news"}"#
            #expect(try await Self.send(srs, play) == (200, #"{"code":0}"#))
            #expect(await handover.outputs().first?.requests == 1)
            let stop = #"{"action":"on_stop","client_id":"1","app":"live","stream":"news"}"#
            #expect(try await Self.send(srs, stop) == (200, #"{"code":0}"#))
            #expect(await handover.outputs().isEmpty)
            let nginx = "http://\(endpoint)/hooks/nginx?to=127.47.0.9:5000"
            #expect(try await Self.send(nginx, "call=play&app=live&name=news&clientid=1").status == 202)
            #expect(try await Self.send(nginx, "call=play_done&app=live&name=news&clientid=1").status == 200)
            #expect(await handover.outputs().isEmpty)
            #expect(try await Self.send(nginx, "call=play&app=live&name=news&clientid=1").status == 202)
            try await eventually("the request's end") { await handover.outputs().isEmpty }
            #expect(handover.statistics["output_requests_expired"] == 1)
        }
    }

    @Test("10,000 requests for distinct names by one server are bounded and counted, and no stream that flows is hurt")
    func flood() async throws {
        let name = news
        try await Receiver.with { target in
            try await serve {
                $0.outputsMax = 8
                $0.firstByteWait = .zero
            } _: { hub, endpoint, handover in
                let request = "http://\(endpoint)/request"
                Self.deliver(0..<7, to: hub, name)
                _ = try await Self.send("\(request)/live/news?to=\(target)")
                try await eventually("the stream") { await handover.outputs().first?.state == "flowing" }
                await withTaskGroup(of: Void.self) { group in
                    for worker in 0..<4 {
                        group.addTask {
                            for number in stride(from: worker, to: 10_000, by: 4) {
                                let to = "127.47.0.\(1 + number % 250):\(2_000 + number)"
                                _ = try? await Self.send("\(request)/flood/\(number)?to=\(to)")
                            }
                        }
                    }
                }
                let outputs = await handover.outputs()
                #expect(outputs.count <= 8)
                #expect(outputs.contains { $0.stream == "live/news" && $0.state == "flowing" })
                let counts = handover.statistics
                #expect(counts["output_refused_names"] ?? 0 > 5_000)
                #expect(counts["output_evicted"] ?? 0 > 0)
                let answered = (counts["output_requests"] ?? 0) + (counts["output_refused_names"] ?? 0)
                #expect(answered == 10_001)
            }
        }
    }

    private static func status(_ url: String, _ body: String = "\n") async throws -> UInt {
        try await send(url, body).status
    }

    @Test("Requests from elsewhere get 403, long bodies and malformed ones 400, and all are counted")
    func hostile() async throws {
        try await serve {
            $0.requesters = [CIDRBlock("192.0.2.0/24")!]
        } _: { _, endpoint, handover in
            let refused = try await Self.status("http://\(endpoint)/request/live/news")
            #expect(refused == 403)
            #expect(handover.statistics["output_refused_requester"] == 1)
        }
        try await serve { _, endpoint, handover in
            let hook = "http://\(endpoint)/hooks/nginx"
            let long = try await Self.status(hook, String(repeating: "a", count: 100_000))
            let malformed = try await Self.status(hook, "call=%zz")
            let withoutGroup = try await Self.status("http://\(endpoint)/request/live/news")
            let injected = try await Self.status(hook, "call=play&app=live&name=news%0d%0aSet-Cookie:a&clientid=1")
            let client = try await Self.status(hook, "call=play&app=live&name=news&clientid=a%0d%0ab")
            #expect([long, malformed, withoutGroup, injected, client] == [400, 400, 409, 404, 400])
            #expect(handover.statistics["output_refused_malformed"] == 3)
            let outputs = await handover.outputs()
            #expect(outputs.isEmpty)
        }
    }
}
