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

    @Test("Every node gets a new certificate at SIGHUP: its links get new keys, nothing is lost, and probes continue")
    func certificatesRenew() async throws {
        try await TestNetwork.with(net: 81) { network in
            try await watch(network)
            let names = network.plan.nodes.map(\.name)
            try network.renewCertificates(of: names)
            for name in names { kill(try #require(await network.pid(of: name)), SIGHUP) }
            for name in names {
                try await eventually("the new identity of \(name)") {
                    network.log(of: name).contains("identity reloaded")
                }
            }
            // Links are renewed within five seconds, at different times.
            try await eventually("new keys at the edge", within: .seconds(15)) {
                (try await network.status(of: "edge-bos").counters["links_renewed"] ?? 0) > 0
            }
            let before = try await network.stream("live/news", at: "edge-bos")?.delivered ?? 0
            try await eventually("delivery under the new keys") {
                (try await network.stream("live/news", at: "edge-bos")?.delivered ?? 0) > before + 300
            }
            for server in network.plan.nameServers {
                let status = try await OpsClient().status(NameServer.Status.self, of: server.ops)
                #expect(!status.probing.contains("frozen"), "\(status.probing)")
                #expect(status.hosts.allSatisfy { $0.health == "alive" }, "\(status.hosts)")
            }
            let edge = try await network.status(of: "edge-bos")
            #expect(edge.counters["links_died"] == 0)
            #expect(try await network.stream("live/news", at: "edge-bos")?.lost == 0)
        }
    }

    @Test("At SIGHUP, a node keeps its identity if the folder is damaged or is another node's")
    func badIdentity() async throws {
        try await TestNetwork.with(net: 82) { network in
            try await watch(network)
            let path = network.identities.folder(of: "edge-bos") + "/node.certificate"
            let good = try String(contentsOfFile: path, encoding: .utf8)
            let other = try String(
                contentsOfFile: network.identities.folder(of: "edge-nen") + "/node.certificate", encoding: .utf8)
            for (count, text) in ["nonsense\n", other].enumerated() {
                try text.write(toFile: path, atomically: true, encoding: .utf8)
                kill(try #require(await network.pid(of: "edge-bos")), SIGHUP)
                try await eventually("a refusal") {
                    network.log(of: "edge-bos").split(separator: "\n").count { $0.contains("identity refused") } > count
                }
            }
            try good.write(toFile: path, atomically: true, encoding: .utf8)
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
