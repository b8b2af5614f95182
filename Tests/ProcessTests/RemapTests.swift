import DNSTestClient
import Foundation
import Glibc
import ReflectorModel
import TestSupport
import Testing

@testable import reflector

@Suite("Edits of the map, and unwatched streams", .serialized)
struct RemapTests {
    @Test(
        "an edit of the portsets file appears in dig within a second and moves the edge within TTL + 2 s without loss")
    func remap() async throws {
        try await TestNetwork.with(net: 72) { network in
            try await network.startAll()
            try await network.startEncoder(
                try #require(StreamName("live/news")), file: TestPictureFile.path, at: "ep-bos")
            try await network.startViewer(of: "edge-bos", name: "viewer")
            try await eventually("delivery from sjc-1") {
                let status = try await network.stream("live/news", at: "edge-bos")
                return (status?.delivered ?? 0) > 100 && status?.paths.first?.parent == "sjc-1"
            }
            let serial = try #require(try await network.stream("live/news", at: "edge-bos")?.paths.first?.serial)
            try await move(network, from: "sjc nyc lon", to: "lon nyc sjc", until: "lon-", leaving: "sjc-1")
            let after = try #require(try await network.stream("live/news", at: "edge-bos")?.paths.first)
            #expect(try #require(after.serial) > serial)
            try await move(network, from: "lon nyc sjc", to: "sjc nyc lon", until: "sjc-1", leaving: after.parent)
            let status = try #require(try await network.stream("live/news", at: "edge-bos"))
            #expect(status.lost == 0)
            print("there and back: \(status.delivered) delivered, \(status.lost) lost")
        }
    }

    private func move(
        _ network: TestNetwork, from old: String, to new: String, until parent: String, leaving: String
    ) async throws {
        let server = "\(try network.node("ns1").address)"
        var written = ContinuousClock.now
        func edit(from old: String, to new: String, until parent: String) async throws {
            try network.zones.edit("reflector.net.portsets") { text in
                text.replacing("map  s4096  r1283  \(old)", with: "map  s4096  r1283  \(new)")
            }
            written = .now
            try await eventually("the edit in dig", within: .seconds(5), every: .milliseconds(20)) {
                try Program.dig("+short", "n1.r1283.s4096.reflector.net", "SRV", server: server).output.contains(parent)
            }
        }
        let limit = Duration.seconds(1)
        let measured = try await StallDetector.measure("an edit in dig", limit: limit) { number in
            if number > 0 {
                try await edit(from: new, to: old, until: leaving)
                // Serials are rate-limited: wait until the limit has recovered.
                try await Task.sleep(for: .seconds(2))
            }
            try await edit(from: old, to: new, until: parent)
            return ContinuousClock.now - written
        }
        let seen = try #require(measured)
        #expect(seen < limit, "dig showed the edit after \(seen)")
        try await eventually("the edge at \(parent)", within: .seconds(10), every: .milliseconds(20)) {
            let paths = try await network.stream("live/news", at: "edge-bos")?.paths ?? []
            return paths.count == 1 && paths[0].parent.hasPrefix(parent) && paths[0].state == "live"
        }
        let moved = ContinuousClock.now - written
        #expect(moved < .seconds(7), "TTL 5 s + 2 s; the edge had moved after \(moved)")
        print("dig after \(seen), edge moved after \(moved)")
        try await eventually("\(leaving) no longer carries the stream") {
            try await network.stream("live/news", at: leaving) == nil
        }
    }

    @Test("without a viewer, no data leaves the entrypoint; with one, one copy crosses each hop; when it leaves, none")
    func demand() async throws {
        try await TestNetwork.with(net: 73) { network in
            try await network.startAll()
            try await network.startEncoder(
                try #require(StreamName("live/news")), file: TestPictureFile.path, at: "ep-bos")
            try await eventually("packets at the entrypoint") {
                (try await network.stream("live/news", at: "ep-bos")?.packetsIn ?? 0) > 300
            }
            #expect(try await network.status(of: "ep-bos").counters["data_sent"] == 0)

            let viewer = try await network.startViewer(of: "edge-bos", name: "viewer")
            try await eventually("delivery") {
                (try await network.stream("live/news", at: "edge-bos")?.delivered ?? 0) > 300
            }
            let source = try #require(try await network.stream("live/news", at: "ep-bos"))
            let relay = try #require(try await network.stream("live/news", at: "sjc-1"))
            #expect(source.children == 1)
            #expect(relay.children == 1)
            #expect(source.packetsOut <= source.packetsIn)
            #expect(relay.packetsOut <= relay.packetsIn + 50, "\(relay)")
            for other in ["nyc-1", "nyc-2", "lon-1", "lon-2"] {
                #expect(try await network.status(of: other).counters["data_received"] == 0)
            }
            Glibc.kill(viewer, SIGKILL)
            try await eventually("nothing leaves any more", within: .seconds(20), every: .seconds(1)) {
                let before = try await network.status(of: "ep-bos").counters["data_sent"]
                try await Task.sleep(for: .seconds(1))
                return try await network.status(of: "ep-bos").counters["data_sent"] == before
            }
            let cold = firstByte(network.log(of: "edge-bos"))
            print("first byte, cold: \(cold)")
            try await network.startViewer(of: "edge-bos", name: "viewer-2")
            try await eventually("delivery again") {
                (try await network.stream("live/news", at: "edge-bos")?.delivered ?? 0) > 200
            }
            try await network.startViewer(of: "edge-bos", name: "viewer-3")
            try await eventually("a third viewer's first byte") {
                network.log(of: "edge-bos").split(separator: "\n").filter { $0.contains("first-byte") }.count >= 3
            }
            print("first byte, cold again and warm: \(firstByte(network.log(of: "edge-bos")))")
        }
    }

    private func firstByte(_ log: String) -> String {
        log.split(separator: "\n").filter { $0.contains("first-byte") }
            .map {
                $0.split(separator: " ").filter { $0.hasPrefix("cold=") || $0.hasPrefix("ms=") }.joined(separator: " ")
            }
            .joined(separator: "; ")
    }
}
