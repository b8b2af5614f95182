import DNSService
import DNSTestClient
import Foundation
import LDNSKit
import ReflectorModel
import Synchronization
import TestSupport
import Testing

@Suite("Overrides of a running name server", .serialized)
struct OverrideTests {
    private static let portsets = """
        setregion a hosts=a-1 capacity=10Gbps site=x
        setregion b hosts=b-1 capacity=10Gbps site=y
        region r1283 name=boston
        map s* r* a b
        map s7 r1283 a

        """

    @Test("A drained site is left out within a second, for the given time")
    func drain() async throws {
        try await ServedDirectory.serve("127.44.2.1") { served async throws in
            let before = try served.serial()
            let entry = try await served.server.override(
                .drain, "x", zone: "example.net", seconds: 2, reason: "new kernel", by: "alice")
            #expect(entry.subject == .site("x"))
            let took = try await served.wait { try served.address("n1.r1283.s1.example.net") == nil }
            #expect(try #require(took) < .seconds(1))
            let serial = try served.serial()
            #expect(ZoneSerial.isAfter(serial, before))
            let text = try served.client.ask("n1.r1283.s1.example.net", 16).answers.first?.strings ?? []
            #expect(text == ["set=a", "serial=\(serial)", "cause=override drain a-1 by alice: new kernel"])
            let other = try served.client.ask("n2.r1283.s1.example.net", 16).answers.first?.strings ?? []
            #expect(other == ["set=b", "serial=\(before)", "cause=zone"], "an unchanged set keeps serial and cause")
            let status = try served.client.ask("_status.example.net", 16).answers.first?.strings ?? []
            #expect(
                status.contains {
                    $0.hasPrefix("override=drain x in example.net until ") && $0.hasSuffix("by alice: new kernel")
                })
            let ended = try await served.wait { try served.address("n1.r1283.s1.example.net") == [127, 0, 2, 1] }
            #expect(try #require(ended) < .seconds(3))
        }
    }

    @Test("A depool that would leave a cell without parents is refused, naming the line, unless forced")
    func refusal() async throws {
        try await ServedDirectory.serve("127.44.2.2") { served async throws in
            try served.replacePortsets(Self.portsets)
            _ = try await served.wait { await served.server.status.generation == 2 }
            let refused = await #expect(throws: NameServer.OverrideRefused.self) {
                try await served.server.override(
                    .depool, "a-1", zone: "example.net", seconds: 60, reason: "", by: "alice")
            }
            #expect(refused?.description.contains("example.net.portsets:5 (map s7 r1283 a)") == true)
            _ = try await served.server.override(
                .drain, "a-1", zone: "example.net", seconds: 60, reason: "", by: "alice")
            _ = try await served.server.override(
                .depool, "b-1", zone: "example.net", seconds: 60, reason: "", by: "alice")
            _ = try await served.wait { try served.address("n2.r1283.s1.example.net") == nil }
            #expect(
                try served.address("n1.r1283.s1.example.net") == [127, 0, 2, 1], "drained, but nothing else is left")
            _ = try await served.server.override(
                .depool, "a-1", zone: "example.net", seconds: 60, reason: "", by: "alice", isForced: true)
            let took = try await served.wait { try served.address("n1.r1283.s7.example.net") == nil }
            #expect(took != nil)
            #expect(try served.client.ask("n1.r1283.s7.example.net", 33).answers.first?.service?.target == "")
        }
    }

    @Test("An invalid request is refused with a reason")
    func wrong() async throws {
        try await ServedDirectory.serve("127.44.2.3") { served async throws in
            let server = served.server
            for (zone, subject, seconds, reason) in [
                ("example.org", "a-1", Int64(60), ""), ("example.net", "ns1", 60, ""), ("example.net", "a-1", 0, ""),
                ("example.net", "a-1", 31 * 86_400, ""), ("example.net", "a-1", 60, "a\nb"),
                ("example.net", "a-1", 60, String(repeating: "x", count: 101)),
            ] {
                await #expect(throws: NameServer.OverrideRefused.self) {
                    try await server.override(
                        .drain, subject, zone: zone, seconds: seconds, reason: reason, by: "alice")
                }
            }
            await #expect(throws: NameServer.OverrideRefused.self) {
                try await server.clearOverride(of: "a-1", zone: "example.net", by: "alice")
            }
        }
    }

    @Test("Overrides survive a restart, with the serial and the causes; they are not stored among the zone files")
    func restart() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let state = folder.path
        let name = "n1.r1283.s1.example.net"
        let before = Mutex<[String]>([])
        try await ServedDirectory.serve("127.44.2.4", state: state) { served async throws in
            _ = try await served.server.override(
                .drain, "a-1", zone: "example.net", seconds: 60, reason: "why not", by: "alice")
            _ = try await served.wait { try served.address(name) == nil }
            let text = try served.client.ask(name, 16).answers.first?.strings ?? []
            before.withLock { $0 = text }
            #expect(try FileManager.default.contentsOfDirectory(atPath: served.path).count == 2)
        }
        try await ServedDirectory.serve("127.44.2.4", state: state) { served async throws in
            #expect(try served.address(name) == nil)
            #expect(try served.client.ask(name, 16).answers.first?.strings == before.withLock { $0 })
            _ = try await served.server.clearOverride(of: "A-1", zone: "example.net", by: "bob")
            let took = try await served.wait { try served.address(name) == [127, 0, 2, 1] }
            #expect(try #require(took) < .seconds(1))
        }
    }

    private static let election = [
        "example.net.zone": ElectionZone.zone, "example.net.portsets": ElectionZone.portsets,
        "example.net.streams": ElectionZone.streams,
    ]

    @Test("A pinned entrypoint is the first candidate within a second, for the given time; status names the operator")
    func entrypoint() async throws {
        try await ServedDirectory.serve("127.44.2.7", files: Self.election) { served async throws in
            let name = "news.live.streams.example.net"
            func candidates() throws -> [String] {
                try served.client.ask(name, 33).answers.compactMap(\.service).sorted { $0.priority < $1.priority }
                    .map { String($0.target.prefix { $0 != "." }) }
            }
            #expect(try candidates() == ["ep-bos", "ep-nyc", "ep-lon"])
            let before = try served.serial()
            _ = try await served.server.overrideEntrypoint(
                .pin, "ep-lon", of: "live/news", zone: "example.net", seconds: 3, reason: "uplink", by: "alice")
            _ = try await served.server.overrideEntrypoint(
                .bar, "ep-nyc", of: "live/news", zone: "example.net", seconds: 60, reason: "kernel", by: "bob")
            let took = try await served.wait { try candidates() == ["ep-lon", "ep-bos"] }
            #expect(try #require(took) < .seconds(2))
            #expect(ZoneSerial.isAfter(try served.serial(), before))
            let text = try served.client.ask(name, 16).answers.first?.strings ?? []
            #expect(text.contains("pin=ep-lon") && text.contains("barred=ep-nyc"), "\(text)")
            let status = try served.client.ask("_status.example.net", 16).answers.first?.strings ?? []
            #expect(
                status.contains {
                    $0.hasPrefix("override=pin-entrypoint ep-lon of live/news in example.net until ")
                        && $0.hasSuffix("by alice: uplink")
                }, "\(status)")
            // Status follows when every loop answers.
            let shown = try await served.wait {
                await served.server.status.entrypointOverrides.map(\.by) == ["alice", "bob"]
            }
            #expect(shown != nil)
            let ended = try await served.wait(.seconds(20)) { try candidates() == ["ep-bos", "ep-lon"] }
            #expect(ended != nil)
            let cleared = try await served.server.clearEntrypointOverrides(
                of: "live/news", zone: "example.net", by: "alice")
            #expect(cleared.map(\.host) == ["ep-nyc"])
            let again = try await served.wait { try candidates() == ["ep-bos", "ep-nyc", "ep-lon"] }
            #expect(again != nil)
            await #expect(throws: NameServer.OverrideRefused.self) {
                try await served.server.overrideEntrypoint(
                    .pin, "a-1", of: "live/news", zone: "example.net", seconds: 3, reason: "", by: "alice")
            }
            await #expect(throws: NameServer.OverrideRefused.self) {
                try await served.server.clearEntrypointOverrides(of: "live/news", zone: "example.net", by: "alice")
            }
        }
    }

    @Test("A second edit right after the first is answered within a second too")
    func twoEdits() async throws {
        try await ServedDirectory.serve("127.44.2.5") { served async throws in
            let limit = Duration.seconds(1)
            let took = try await StallDetector.measure("a second edit", limit: limit) { number in
                // Serials are rate-limited: the budget that the previous measurement used must be restored.
                if number > 0 { try await Task.sleep(for: .seconds(2)) }
                try served.replacePortsets(ServedDirectory.portsets + "map s4096 r1283 b a\n")
                _ = try await served.wait { try served.address("n1.r1283.s4096.example.net") == [127, 0, 2, 2] }
                try served.replacePortsets(ServedDirectory.portsets + "map s4096 r1283 a b\n")
                return try await served.wait { try served.address("n1.r1283.s4096.example.net") == [127, 0, 2, 1] }
            }
            #expect(try #require(took) < limit)
        }
    }
}
