import Foundation
import HTTPFetching
import Logging
import NIOCore
import ReflectorModel
import TestSupport
import Testing

@testable import OpsEndpoint
@testable import StreamingServer

/// Runs a service until `body` returns; `body` gets the address it is bound to.
func serving<Result: Sendable>(
    _ address: String,
    _ run: @escaping @Sendable (Endpoint, @escaping @Sendable (Endpoint) -> Void) async throws -> Void,
    _ body: @escaping @Sendable (Endpoint) async throws -> Result
) async throws -> Result {
    let endpoint = try #require(Endpoint("\(address):0"))
    return try await withRunningService(run: { try await run(endpoint, $0) }, body)
}

func deliver(_ payload: ArraySlice<UInt8>, to hub: LiveStreamHub, _ name: StreamName, at index: Int) {
    payload.withUnsafeBytes {
        _ = hub.receiver(of: name)?.deliver($0, at: MonotonicInstant(nanoseconds: Int64(index) * 1_000_000))
    }
}

func get(_ url: String) async throws -> (status: UInt, body: [UInt8], response: HTTPWholeAnswer) {
    var request = HTTPFetch(url)
    request.timeout = .seconds(60)
    let answer = try await request.wholeAnswer(bodyBytesMax: 64 << 20)
    return (answer.status, Array(answer.body.readableBytesView), answer)
}

let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Changes of demand, in order.
private actor Demand {
    private(set) var changes: [Bool] = []
    func add(_ wanted: Bool) { changes.append(wanted) }
    func wait(for expected: [Bool]) async throws {
        _ = await eventually { changes == expected }
        #expect(changes == expected)
    }
}

@Suite("The streaming server over HTTP", .serialized)
struct ServerTests {
    let name = StreamName("live/news")!

    func hub(_ configure: (inout LiveStreamConfiguration) -> Void = { _ in }) -> LiveStreamHub {
        var configuration = LiveStreamConfiguration()
        configuration.wallClockSeconds = { 1_800_000_000 }
        configure(&configuration)
        return LiveStreamHub(configuration: configuration, logger: silent)
    }

    func serve<Result: Sendable>(
        _ hub: LiveStreamHub, _ body: @escaping @Sendable (Endpoint) async throws -> Result
    ) async throws -> Result {
        try await serving("127.46.0.1") { endpoint, ready in
            try await StreamingServer(configuration: .init(endpoint: endpoint), hub: hub, onReady: ready).run()
        } _: {
            try await body($0)
        }
    }

    @Test("A cold viewer causes the demand and gets every byte from the first; a warm one begins at a PAT")
    func progressive() async throws {
        let hub = hub()
        let demand = Demand()
        let name = name
        try await serve(hub) { endpoint in
            hub.setDemandHandler { _, wanted in Task { await demand.add(wanted) } }
            async let cold = get("http://\(endpoint)/live/news.ts")
            try await demand.wait(for: [true])
            let payloads = TransportStreamFile.payloads()
            for (index, payload) in payloads.prefix(payloads.count / 2).enumerated() {
                deliver(payload, to: hub, name, at: index)
            }
            async let warm = get("http://\(endpoint)/live/news.ts")
            try await eventually("2 viewers", every: .milliseconds(2)) { hub.viewers(of: name) >= 2 }
            for (index, payload) in payloads.enumerated().dropFirst(payloads.count / 2) {
                deliver(payload, to: hub, name, at: index)
            }
            hub.ended(stream: name, reason: "end of file")
            let (coldAnswer, warmAnswer) = try await (cold, warm)
            #expect(coldAnswer.status == 200)
            #expect(coldAnswer.response.headers.first(name: "content-type") == "video/mp2t")
            #expect(coldAnswer.response.headers.first(name: "access-control-allow-origin") == "*")
            #expect(coldAnswer.body == TransportStreamFile.bytes)
            // The warm viewer has the end of the stream, from a PAT on.
            let tail = warmAnswer.body
            #expect(!tail.isEmpty && tail.count < TransportStreamFile.bytes.count)
            #expect(tail.elementsEqual(TransportStreamFile.bytes.suffix(tail.count)))
            #expect(tail.count % 188 == 0 && tail.prefix(3) == [0x47, 0x40, 0x00])
            try await demand.wait(for: [true, false])
            let statistics = hub.statistics()
            #expect(statistics.counters["viewers_first_byte_cold"] == 1)
            #expect(statistics.counters["viewers_first_byte_warm"] == 1)
            #expect(statistics.counters["bytes_delivered"] == UInt64(TransportStreamFile.bytes.count))
        }
    }

    @Test("A stream that is not MPEG-TS passes unchanged")
    func raw() async throws {
        let hub = hub()
        let name = name
        try await serve(hub) { endpoint in
            async let answer = get("http://\(endpoint)/live/news.ts")
            try await eventually("1 viewer", every: .milliseconds(2)) { hub.viewers(of: name) >= 1 }
            var random = SplitMix(state: 1)
            var sent: [UInt8] = []
            for index in 0..<500 {
                let payload = (0..<1 + index % 1400).map { _ in UInt8.random(in: 0...255, using: &random) }
                deliver(payload[...], to: hub, name, at: index)
                sent += payload
            }
            hub.ended(stream: name, reason: "done")
            #expect(try await answer.body == sent)
        }
    }

    @Test("Two edges that begin at different places give segments of the same names and bytes")
    func alikeSegments() async throws {
        var bodies: [[String: [UInt8]]] = []
        for skip in [0, 123] {
            let hub = hub()
            let name = name
            let segments = try await serve(hub) { endpoint in
                for (index, payload) in TransportStreamFile.payloads(skip: skip).enumerated() {
                    deliver(payload, to: hub, name, at: index)
                }
                let playlist = try await get("http://\(endpoint)/live/news/index.m3u8")
                #expect(playlist.status == 200)
                #expect(playlist.response.headers.first(name: "content-type") == "application/vnd.apple.mpegurl")
                var result: [String: [UInt8]] = [:]
                for line in String(decoding: playlist.body, as: UTF8.self).split(separator: "\n")
                where !line.hasPrefix("#") {
                    let answer = try await get("http://\(endpoint)/live/news/\(line)")
                    #expect(answer.status == 200)
                    result[String(line)] = answer.body
                }
                return result
            }
            bodies.append(segments)
        }
        let common = Set(bodies[0].keys).intersection(bodies[1].keys)
        #expect(common.count >= 3)
        for key in common {
            #expect(bodies[0][key] == bodies[1][key])
            #expect(bodies[0][key]?.prefix(3) == [0x47, 0x40, 0x00])
        }
    }

    @Test("ffprobe and ffmpeg accept both URLs of the running server")
    func probes() async throws {
        let hub = hub()
        let name = name
        try await serve(hub) { endpoint in
            let probe = ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0"]
            let play = ["ffmpeg", "-v", "error", "-i", "http://\(endpoint)/live/news.ts", "-f", "null", "-"]
            for program in [play, probe + ["http://\(endpoint)/live/news.ts"]] {
                async let result = Self.run(program)
                try await eventually("1 viewer", every: .milliseconds(2)) { hub.viewers(of: name) >= 1 }
                // The stream is delivered at eight times real time.
                let payloads = TransportStreamFile.payloads()
                let pause = Duration.seconds(TransportStreamFile.seconds) / (8 * payloads.count)
                for (index, payload) in payloads.enumerated() {
                    deliver(payload, to: hub, name, at: index)
                    try await Task.sleep(for: pause)
                }
                hub.ended(stream: name, reason: "end of file")
                let (status, output) = await result
                #expect(status == 0)
                if program != play { #expect(output.contains("h264") && output.contains("aac"), "\(output)") }
            }
            for (index, payload) in TransportStreamFile.payloads().enumerated() {
                deliver(payload, to: hub, name, at: index)
            }
            let list = await Self.run(probe + ["http://\(endpoint)/live/news/index.m3u8"])
            #expect(list.output.contains("h264") && list.output.contains("aac"), "\(list)")
        }
    }

    /// Runs a program without blocking a thread of the concurrency pool.
    private static func run(_ arguments: [String]) async -> (status: Int32, output: String) {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: TransportStreamFile.run(arguments)) }
        }
    }

    @Test("A request for the playlist of a cold stream waits until the playlist exists")
    func coldPlaylist() async throws {
        let hub = hub()
        let demand = Demand()
        let name = name
        try await serve(hub) { endpoint in
            hub.setDemandHandler { _, wanted in Task { await demand.add(wanted) } }
            async let answer = get("http://\(endpoint)/live/news/index.m3u8")
            try await demand.wait(for: [true])
            for (index, payload) in TransportStreamFile.payloads().enumerated() {
                deliver(payload, to: hub, name, at: index)
            }
            #expect(try await answer.status == 200)
            // An HLS viewer stays present between its requests.
            #expect(hub.viewers(of: name) == 1)
            try await demand.wait(for: [true])
        }
    }

    @Test("A temporarily unavailable stream gives 503, with the reason and Retry-After")
    func outOfReach() async throws {
        let hub = hub { _ in }
        try await serve(hub) { endpoint in
            hub.setDemandHandler { name, wanted in
                if wanted { hub.unavailable(stream: name, reason: "the name servers are silent", isAbsence: false) }
            }
            for path in ["live/news.ts", "live/news/index.m3u8"] {
                let answer = try await get("http://\(endpoint)/\(path)")
                #expect(answer.status == 503)
                #expect(answer.response.headers.first(name: "retry-after") != nil)
                #expect(String(decoding: answer.body, as: UTF8.self).contains("the name servers are silent"))
            }
        }
    }

    @Test("A full hub evicts the oldest stream without bytes, never one that flows")
    func fullHub() async throws {
        let hub = hub {
            $0.streamsMax = 2
            $0.firstByteWait = .seconds(5)
        }
        let name = name
        for (index, payload) in TransportStreamFile.payloads().prefix(20).enumerated() {
            deliver(payload, to: hub, name, at: index)
        }
        try await serve(hub) { endpoint in
            async let first = get("http://\(endpoint)/cold/1.ts")
            try await eventually("the stream", every: .milliseconds(1)) { hub.existing(StreamName("cold/1")!) != nil }
            async let second = get("http://\(endpoint)/cold/2.ts")
            #expect(try await first.status == 503)
            #expect(hub.existing(name) != nil)
            hub.unavailable(stream: StreamName("cold/2")!, reason: "none")
            #expect(try await second.status == 404)
        }
    }

    @Test("Unknown streams are 404 with the reason, silent ones 504, too many viewers 503")
    func refusals() async throws {
        let hub = hub {
            // The first viewer must still be waiting when the next one comes.
            $0.firstByteWait = .seconds(1)
            $0.viewersMax = 1
        }
        try await serve(hub) { endpoint in
            hub.setDemandHandler { name, wanted in
                guard wanted, name.text == "live/none" else { return }
                hub.unavailable(stream: name, reason: "no such name in the zone")
            }
            let unknown = try await get("http://\(endpoint)/live/none.ts")
            #expect(unknown.status == 404)
            #expect(String(decoding: unknown.body, as: UTF8.self).contains("no such name in the zone"))
            async let waiting = get("http://\(endpoint)/live/silent.ts")
            try await eventually("1 viewer", every: .milliseconds(1)) {
                hub.viewers(of: StreamName("live/silent")!) >= 1
            }
            let refused = try await get("http://\(endpoint)/live/other.ts")
            #expect(refused.status == 503)
            #expect(try await waiting.status == 504)
            #expect(try await get("http://\(endpoint)/live/../../etc/passwd").status == 404)
            #expect(try await get("http://\(endpoint)/").status == 200)
            let counters = hub.statistics().counters
            #expect(counters["viewers_refused"] == 1 && counters["waits_timed_out"] == 1)
        }
    }

    @Test("A viewer that leaves while the stream is silent is noticed, and the demand ends")
    func departure() async throws {
        let hub = hub()
        let demand = Demand()
        let name = name
        try await serve(hub) { endpoint in
            hub.setDemandHandler { _, wanted in Task { await demand.add(wanted) } }
            let viewer = Task { try await get("http://\(endpoint)/live/news.ts") }
            try await demand.wait(for: [true])
            for (index, payload) in TransportStreamFile.payloads().prefix(50).enumerated() {
                deliver(payload, to: hub, name, at: index)
            }
            try await eventually("the first delivery to a cold viewer", every: .milliseconds(2)) {
                hub.statistics().counters["viewers_first_byte_cold"] ?? 0 >= 1
            }
            viewer.cancel()
            try await demand.wait(for: [true, false])
        }
    }

    @Test("A stream that ends and returns with earlier time stamps continues its segment numbers")
    func comesBack() async throws {
        let hub = hub()
        let name = name
        try await serve(hub) { endpoint in
            var numbers: [Int] = []
            for _ in 0..<2 {
                for (index, payload) in TransportStreamFile.payloads().enumerated() {
                    deliver(payload, to: hub, name, at: index)
                }
                let playlist = String(
                    decoding: try await get("http://\(endpoint)/live/news/index.m3u8").body, as: UTF8.self)
                let line = playlist.split(separator: "\n").first { $0.hasPrefix("#EXT-X-MEDIA-SEQUENCE:") }
                numbers.append(Int(line?.split(separator: ":").last ?? "") ?? -1)
                hub.ended(stream: name, reason: "over")
            }
            #expect(numbers[0] >= 0 && numbers[1] > numbers[0])
        }
    }

    @Test("Status, metrics, health and readiness are served, and the client reads them")
    func ops() async throws {
        let status = NodeStatus(
            name: "edge-bos", role: "edge", region: "r1283", zone: "reflector.net", endpoint: "127.46.0.1:4900",
            uptimeSeconds: 1.5, serial: 7, links: [], streams: [], counters: ["rejects": 3])
        let samples = [
            MetricSample(name: "a_total", labels: [("k", "x\"y")], value: 1, kind: .counter, help: "A."),
            MetricSample(name: "b", value: 0.5, kind: .gauge, help: "B."),
            MetricSample(name: "a_total", labels: [("k", "z")], value: 2, kind: .counter, help: "A."),
        ]
        try await serving("127.46.0.2") { endpoint, ready in
            try await OpsEndpoint(
                configuration: .init(endpoint: endpoint), logger: silent, status: { _ in status },
                metrics: { samples }, ready: { "no parents yet" }, onReady: ready
            ).run()
        } _: { endpoint in
            #expect(try await OpsClient(timeout: .seconds(10)).nodeStatus(of: endpoint) == status)
            #expect(await OpsClient(timeout: .seconds(10)).isReady(endpoint) == false)
            #expect(try await get("http://\(endpoint)/healthz").status == 200)
            #expect(try await get("http://\(endpoint)/readyz").status == 503)
            let metrics = String(decoding: try await get("http://\(endpoint)/metrics").body, as: UTF8.self)
            #expect(
                metrics.hasPrefix(
                    """
                    # HELP a_total A.
                    # TYPE a_total counter
                    a_total{k="x\\"y"} 1
                    a_total{k="z"} 2
                    # HELP b B.
                    # TYPE b gauge
                    b 0.5

                    """))
            #expect(metrics.contains("\nreflector_ops_connections_evicted_idle_total 0\n"))
        }
    }
}
