import DNSService
import Foundation
import Glibc
import OpsEndpoint
import ReflectorModel
import RelayService
import TestSupport
import Testing

@testable import reflector

@Suite("Signals to running nodes", .serialized)
struct SignalTests {
    private func watch(_ network: TestNetwork) async throws {
        try await network.startAll()
        try await network.startEncoder(try #require(StreamName("live/news")), file: TestPictureFile.path, at: "ep-bos")
        try await network.startViewer(of: "edge-bos", name: "viewer")
        try await eventually("delivery") {
            (try await network.stream("live/news", at: "edge-bos")?.delivered ?? 0) > 200
        }
    }

    @Test("SIGHUP rolls network keys in three steps, also at name servers: no loss, probes and overrides continue")
    func keysRoll() async throws {
        try await TestNetwork.with(net: 81) { network in
            try await watch(network)
            let old = try #require(network.keys.networkKeys.first)
            let new = KeyFile.NetworkKey(phase: 2, bytes: Array(repeating: 0x5a, count: 32))
            for (step, keys) in [[old, new], [new, old], [new]].enumerated() {
                try FileManager.default.removeItem(atPath: network.keysPath)
                try KeyFile(
                    networkKeys: keys, streamKeys: network.keys.streamKeys
                ).write(to: network.keysPath)
                for node in network.plan.nodes {
                    kill(try #require(await network.pid(of: node.name)), SIGHUP)
                }
                for node in network.plan.nodes {
                    try await eventually("keys of \(node.name), step \(step)") {
                        network.log(of: node.name).split(separator: "\n").count { $0.contains("keys reloaded") }
                            > step
                    }
                }
                let before = try await network.stream("live/news", at: "edge-bos")?.delivered ?? 0
                try await eventually("delivery after step \(step)") {
                    (try await network.stream("live/news", at: "edge-bos")?.delivered ?? 0) > before + 100
                }
            }
            // The name servers have the new key, too: they still reach every set reflector, and accept an override.
            for server in network.plan.nameServers {
                let status = try await OpsClient().status(NameServer.Status.self, of: server.ops)
                #expect(!status.probing.contains("frozen"), "\(status.probing)")
                #expect(status.hosts.allSatisfy { $0.health == "alive" }, "\(status.hosts)")
            }
            func override(_ words: String...) throws -> Program.Result {
                try Program.run(
                    Program.reflector,
                    ["override"] + words + [
                        "--operator", network.identities.operatorFolder, "--zones", network.zones.path,
                    ])
            }
            let drained = try override("drain", "lon-1", "--for", "1h", "--why", "test")
            #expect(drained.code == 0 && drained.lines.count == 2, "\(drained.errors)")
            #expect(try override("clear", "lon-1").code == 0)
            // Wait until no ring holds packets sealed with the old key, as an operator does before removing that key.
            try await Task.sleep(for: .seconds(6))
            // Restart two nodes, which then have never had the old key: they can neither use it for handshakes nor open
            // packets sealed with it.
            let parent = try #require(try await network.stream("live/news", at: "edge-bos")?.paths.first?.parent)
            try await network.kill(parent)
            for server in network.plan.nameServers {
                try await eventually("\(server.name) sees \(parent) die, by probes with the new key") {
                    try await OpsClient().status(NameServer.Status.self, of: server.ops).hosts
                        .contains { $0.name == parent && $0.health == "dead" }
                }
            }
            try await network.start(parent)
            try await network.waitUntilReady(parent)
            try await network.kill("edge-nen")
            try await network.start("edge-nen")
            try await network.waitUntilReady("edge-nen")
            try await network.startViewer(of: "edge-nen", name: "viewer-nen")
            try await eventually("delivery at an edge with the new key alone") {
                (try await network.stream("live/news", at: "edge-nen")?.delivered ?? 0) > 200
            }
            for edge in ["edge-bos", "edge-nen"] {
                #expect(try await network.stream("live/news", at: edge)?.lost == 0, "\(edge)")
                #expect(try await network.status(of: edge).counters["rejected_bad_seal"] == 0)
            }
        }
    }

    @Test("At SIGHUP, a node keeps its keys if the key file is invalid or changes the key of a phase")
    func badKeys() async throws {
        try await TestNetwork.with(net: 82) { network in
            try await watch(network)
            let other = KeyFile.NetworkKey(phase: 1, bytes: Array(repeating: 0x33, count: 32))
            for text in ["nonsense\n", "network 1 \(String(repeating: "33", count: other.bytes.count))\n"] {
                try text.write(toFile: network.keysPath, atomically: false, encoding: .utf8)
                kill(try #require(await network.pid(of: "edge-bos")), SIGHUP)
                try await eventually("a refusal") {
                    network.log(of: "edge-bos").contains(
                        text.hasPrefix("network") ? "differs from the one in use" : "unknown word")
                }
            }
            let before = try await network.stream("live/news", at: "edge-bos")?.delivered ?? 0
            try await eventually("delivery continues") {
                (try await network.stream("live/news", at: "edge-bos")?.delivered ?? 0) > before + 200
            }
            #expect(try await network.stream("live/news", at: "edge-bos")?.lost == 0)
        }
    }

    @Test("At SIGTERM, the set reflector in use ends only after its children have left, and nothing is lost")
    func drain() async throws {
        try await TestNetwork.with(net: 83) { network in
            try await watch(network)
            let before = try #require(try await network.stream("live/news", at: "edge-bos"))
            let parent = try #require(before.paths.first?.parent)
            let start = ContinuousClock.now
            let exit = try await network.terminate(parent)
            let took = ContinuousClock.now - start
            #expect(exit == .code(0))
            let after = try #require(try await network.stream("live/news", at: "edge-bos"))
            #expect(after.paths.first?.parent != parent)
            #expect(network.log(of: "edge-bos").contains("is about to stop"))
            try await eventually("delivery continues") {
                (try await network.stream("live/news", at: "edge-bos")?.delivered ?? 0) > before.delivered + 300
            }
            let end = try #require(try await network.stream("live/news", at: "edge-bos"))
            #expect(end.lost == 0)
            print(
                "\(parent) ended \(took) after SIGTERM; largest gap before \(Int(before.gapMillisecondsMax)) ms, "
                    + "after \(Int(end.gapMillisecondsMax)) ms; repaired \(end.repaired - before.repaired)")
            // An edge with a viewer and an entrypoint with an encoder also end on their own.
            #expect(try await network.terminate("edge-bos") == .code(0))
            #expect(try await network.terminate("ep-bos") == .code(0))
        }
    }
}
