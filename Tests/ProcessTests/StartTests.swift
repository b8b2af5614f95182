import DatagramIO
import Foundation
import IdentityKeys
import ReflectorModel
import TestSupport
import Testing

@testable import reflector

@Suite("Messages of a failed start", .serialized)
struct StartTests {
    @Test("A node with the wrong role, name, zone, server or state folder reports which one is wrong")
    func misplaced() async throws {
        try await TestNetwork.with(net: 104) { network in
            let set = try network.arguments(of: "sjc-1")
            func start(
                _ name: String, _ node: LocalIdentities.Node, zone: String = "reflector.net",
                _ change: ([String]) -> [String]
            ) async throws {
                let identity = try network.makeIdentity(node, zone: zone, folder: name)
                try await network.startProgram(
                    Program.reflector, change(set) + ["--identity", identity], name: name)
            }
            // Start before there is a name server.
            try await start("early", .init(name: "early", role: .set)) { $0.map { $0 == "sjc-1" ? "early" : $0 } }
            try await log(
                "early", of: network,
                has: "early.reflector.net: 127.104.0.1:5300 cannot be reached: nothing listens there")
            try await network.start("ns1")
            try await network.waitUntilReady("ns1")
            try await start("nosuch", .init(name: "nosuch", role: .set)) { $0.map { $0 == "sjc-1" ? "nosuch" : $0 } }
            let sjc = LocalIdentities.Node(name: "sjc-1", role: .entrypoint)
            try await start("foreign", .init(name: "sjc-1", role: .set), zone: "example.org") {
                $0.map { $0 == "reflector.net" ? "example.org" : $0 }
            }
            try await start("unnamed", sjc) { ["entrypoint"] + $0.dropFirst() + ["--keys", network.keysPath] }
            let elsewhere = LocalIdentities.Node(name: "edge-bos", role: .edge, region: .edge(RegionID(9_999)))
            let identity = try network.makeIdentity(elsewhere, zone: "reflector.net", folder: "elsewhere")
            try await network.start("edge-bos", options: ["--region", "9999", "--identity", identity])
            try await network.start("lon-1", options: ["--state", "/proc/nope"])
            try await log("nosuch", of: network, has: "nosuch.reflector.net: no address in the zone for this host")
            try await log(
                "foreign", of: network,
                has: "sjc-1.example.org: 127.104.0.1:5300 is not authoritative for example.org (REFUSED): is --zone")
            try await log(
                "unnamed", of: network,
                has: "this node is started as role=entrypoint, but the zone says that sjc-1 is role=set region=r9003")
            try await log("edge-bos", of: network, has: "region r9999 is not declared")
            try await log(
                "edge-bos", of: network,
                has: "started as role=edge region=r9999, but the zone says that edge-bos is role=edge region=r1283")
            try await log("lon-1", of: network, has: "state folder can't be written: answers won't survive a restart")
        }
    }

    private func log(_ name: String, of network: TestNetwork, has text: String) async throws {
        try await eventually("'\(text)' in the log of \(name)") { network.log(of: name).contains(text) }
    }

    @Test("A normal stop of a name server leaves no error in its log")
    func quietStop() async throws {
        try await TestNetwork.with(net: 104) { network in
            try await network.start("ns1")
            try await network.waitUntilReady("ns1")
            #expect(try await network.terminate("ns1") == .code(0))
            #expect(network.log(of: "ns1").contains("stopped"))
            // Unanswered probes are not an error: no set reflector runs, and none has ever answered.
            let errors = network.log(of: "ns1").split(separator: "\n").filter { $0.contains("error") }
            #expect(errors.isEmpty)
        }
    }

    @Test("`up` ends at once if a node cannot start, and shows the error of that node once")
    func addressTaken() throws {
        let folder = try TemporaryFolder()
        let zones = try ZonesCopy(net: 104, in: folder.path)
        let taken = try DatagramSocket(bind: try #require(Endpoint("127.104.2.5:4900")))
        defer { withExtendedLifetime(taken) {} }
        let start = ContinuousClock.now
        let result = try Program.run(
            Program.reflector, ["up", "--zones", zones.path, "--state", folder.path + "/run"], seconds: 60)
        print("up with an address taken: \(ContinuousClock.now - start)")
        #expect(result.code == 1)
        #expect(result.errors.components(separatedBy: "cannot listen on UDP 127.104.2.5:4900").count == 2)
        #expect(result.errors.contains("sjc-1 ended with exit code 1 at the start"), "\(result.errors)")
    }

    @Test("Ctrl-C before the network is up is reported as such")
    func interrupted() throws {
        let folder = try TemporaryFolder()
        let zones = try ZonesCopy(net: 104, in: folder.path)
        let result = try Program.run(
            "timeout",
            [
                "--preserve-status", "--signal=INT", "1", Program.reflector, "up", "--zones", zones.path, "--state",
                folder.path + "/run",
            ])
        #expect(result.code == 1)
        #expect(result.errors == "reflector: interrupted before the network was up\n")
        #expect(result.lines.count == 1, "\(result.output)")
    }
}
