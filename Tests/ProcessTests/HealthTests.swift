import Foundation
import Glibc
import IdentityKeys
import ReflectorModel
import TestSupport
import Testing

@testable import reflector

@Suite("Answers follow the health of hosts", .serialized)
struct HealthTests {
    /// Answers of one name server of a network, by `dig`.
    private struct Server {
        let address: String

        init(_ name: String, of network: TestNetwork) throws { address = "\(try network.node(name).address)" }

        func hosts(_ name: String) throws -> [String] {
            try Program.dig("+short", "\(name).reflector.net", "SRV", server: address).lines
                .compactMap { $0.split(separator: " ").last.map { String($0.prefix { $0 != "." }) } }
                .filter { !$0.isEmpty }.sorted()
        }

        func text(_ name: String) throws -> String {
            try Program.dig("+short", "\(name).reflector.net", "TXT", server: address).output
        }

        func serial() throws -> String {
            String(
                try Program.dig("+short", "SOA", "reflector.net", server: address).output.split(separator: " ")
                    .dropFirst(2).first ?? "")
        }
    }

    /// Waits until the answer for a name has exactly these hosts. Returns how long it took.
    @discardableResult
    private static func wait(
        _ server: Server, _ name: String, _ hosts: [String], within limit: Duration
    ) async throws -> Duration {
        let start = ContinuousClock.now
        try await eventually("\(name) = \(hosts)", within: limit, every: .milliseconds(20)) {
            let found = try server.hosts(name)
            if found != hosts { throw NeverCame(what: name, last: "\(found)") }
            return true
        }
        return ContinuousClock.now - start
    }

    private static func alive(_ server: Server, _ count: Int) async throws {
        try await eventually("\(count) alive", within: .seconds(30)) {
            try server.text("_status").contains("health=probed, \(count) alive\"")
        }
    }

    @Test("A set reflector leaves the answers within 3 s of kill -9 or SIGSTOP, and returns without flapping")
    func death() async throws {
        try await TestNetwork.with(net: 91) { network in
            try await network.startAll()
            let server = try Server("ns1", of: network)
            try await Self.alive(server, 5)
            let serial = try server.serial()

            try await network.kill("nyc-1")
            let killed = try await Self.wait(server, "n1.r1283", ["nyc-2"], within: .seconds(3))
            print("kill -9: left out after \(killed)")
            let text = try server.text("n1.r1283")
            #expect(text.contains("\"cause=health nyc-1 dead\"") && text.contains("\"dead=nyc-1\""))
            let why = try server.text("n1.r1283.explain")
            #expect(why.contains("host=nyc-1 left out, health dead, override none"), "\(why)")
            #expect(try server.hosts("sets.s5") == ["lon-1", "lon-2", "nyc-2", "sjc-1"])
            #expect(try server.hosts("ep-bos.sets") == ["lon-1", "lon-2", "nyc-2", "sjc-1"])

            let stopped = try #require(await network.pid(of: "lon-1"))
            Glibc.kill(stopped, SIGSTOP)
            let silent = try await Self.wait(server, "n2.r1283", ["lon-2"], within: .seconds(3))
            print("SIGSTOP: left out after \(silent)")
            let dead = try server.serial()
            #expect(dead != serial)
            let difference = try Program.run(Program.reflector, ["zone", "diff", "--running", network.zones.path])
            print(difference.output)
            #expect(difference.code == 1 && difference.output.contains("nyc: nyc-1 left out: health dead"))

            Glibc.kill(stopped, SIGCONT)
            try await network.start("nyc-1")
            let back = try await Self.wait(server, "n1.r1283", ["nyc-1", "nyc-2"], within: .seconds(30))
            try await Self.wait(server, "n2.r1283", ["lon-1", "lon-2"], within: .seconds(30))
            #expect(back > .seconds(5), "it returned before it was stable")
            print("back after \(back)")
            let after = try server.serial()
            try await Task.sleep(for: .seconds(5))
            #expect(try server.serial() == after, "an answer flapped")
            let same = try Program.run(Program.reflector, ["zone", "diff", "--running", network.zones.path])
            #expect(same.code == 0 && same.output.isEmpty, "\(same.output)")
        }
    }

    @Test("The prober accepts that up to half of the hosts die; if more die, it freezes, reports that, and recovers")
    func frozen() async throws {
        try await TestNetwork.with(net: 92) { network in
            try await network.startAll()
            let server = try Server("ns1", of: network)
            try await Self.alive(server, 5)
            var pids: [pid_t] = []
            for name in ["nyc-1", "nyc-2", "lon-1", "lon-2", "sjc-1"] {
                pids.append(try #require(await network.pid(of: name)))
            }
            for pid in pids[..<2] { Glibc.kill(pid, SIGSTOP) }
            try await eventually("two dead", within: .seconds(3)) {
                try server.text("_status").contains("health=probed, 3 alive, 2 dead")
            }
            #expect(try server.hosts("n1.r1283") == ["nyc-1", "nyc-2"], "all nyc hosts dead: answer as in the files")
            #expect(try server.text("n1.r1283.explain").contains("answer=as the files have it: all hosts seem dead"))

            for pid in pids[2...] { Glibc.kill(pid, SIGSTOP) }
            try await eventually("frozen", within: .seconds(5)) {
                try server.text("_status").contains("health=frozen: ")
            }
            #expect(try server.text("n1.r1283.explain").contains("health=frozen: "))
            #expect(network.log(of: "ns1").contains("prober in panic mode"))
            #expect(try server.hosts("sets.s5") == ["lon-1", "lon-2", "nyc-1", "nyc-2", "sjc-1"])

            for pid in pids { Glibc.kill(pid, SIGCONT) }
            try await eventually("thawed", within: .seconds(10)) {
                try server.text("_status").contains("health=probed, ")
            }
            #expect(try server.hosts("sets.s5") == ["lon-1", "lon-2", "nyc-1", "nyc-2", "sjc-1"])
        }
    }

    @Test("Overrides reach every server within a second, are listed, survive a restart and expire; a wrong key fails")
    func overrides() async throws {
        try await TestNetwork.with(net: 93) { network in
            for name in ["ns1", "ns2"] { try await network.start(name) }
            for name in ["ns1", "ns2"] { try await network.waitUntilReady(name) }
            let servers = try ["ns1", "ns2"].map { try Server($0, of: network) }
            let own = network.identities.operatorFolder
            func override(_ arguments: String..., by other: String? = nil) throws -> Program.Result {
                try Program.run(
                    Program.reflector,
                    ["override"] + arguments + ["--operator", other ?? own, "--zones", network.zones.path])
            }

            let drain = try override("drain", "us-east", "--for", "1h", "--why", "new kernel")
            print(drain.output)
            #expect(drain.code == 0 && drain.lines.count == 2, "\(drain.errors)")
            for server in servers { try await Self.wait(server, "n1.r1283", [], within: .seconds(1)) }
            let why = try servers[1].text("n1.r1283.explain")
            #expect(why.contains("override drain by up (new kernel)"), "\(why)")
            #expect(try servers[0].text("_status").contains("override=drain us-east in reflector.net until "))
            let difference = try Program.run(Program.reflector, ["zone", "diff", "--running", network.zones.path])
            print(difference.output)
            #expect(difference.output.contains("override drain site us-east by up: new kernel"))
            #expect(difference.output.contains("nyc: nyc-1 left out: "))

            let list = try Program.run(Program.reflector, ["override", "list", "--zones", network.zones.path])
            #expect(list.lines.count == 2, "\(list.output)")
            #expect(list.output.contains("drain site us-east by up: new kernel, until 20"))

            try await network.kill("ns1")
            try await network.start("ns1")
            try await network.waitUntilReady("ns1")
            #expect(try servers[0].hosts("n1.r1283") == [])

            let clear = try override("clear", "us-east")
            #expect(clear.code == 0, "\(clear.errors)")
            for server in servers { try await Self.wait(server, "n1.r1283", ["nyc-1", "nyc-2"], within: .seconds(1)) }

            let short = try override("depool", "nyc-1", "--for", "2s", "--why", "test")
            #expect(short.code == 0, "\(short.errors)")
            try await Self.wait(servers[0], "n1.r1283", ["nyc-2"], within: .seconds(1))
            try await Self.wait(servers[0], "n1.r1283", ["nyc-1", "nyc-2"], within: .seconds(4))

            // A stranger, and an operator who may only look.
            let other = network.folder + "/other"
            _ = try OperatorFolder.make(other, name: "mallory", role: .admin)
            let wrong = try override("depool", "nyc-1", "--for", "1h", "--why", "test", by: other)
            #expect(wrong.code == 1 && wrong.errors.contains("403"), "\(wrong.errors)")
            let wall = network.folder + "/wall"
            _ = try OperatorFolder.make(wall, name: "wall", role: .view, joining: own)
            for name in ["ns1", "ns2"] {
                let text = try OperatorDirectory.load(OperatorFolder.operatorsPath(own))
                try text.write(to: IdentityFolder.operatorsPath(network.identities.folder(of: name)))
                Glibc.kill(try #require(await network.pid(of: name)), SIGHUP)
            }
            try await eventually("the view operator is known") {
                let viewed = try override("depool", "nyc-1", "--for", "1h", "--why", "test", by: wall)
                return viewed.code == 1 && viewed.errors.contains("wall has the role `view`")
            }
            #expect(try servers[0].hosts("n1.r1283") == ["nyc-1", "nyc-2"])
        }
    }

    @Test("A depool that leaves a cell without parents is refused with the cell's line, unless forced")
    func refusal() async throws {
        try await TestNetwork.with(
            net: 94,
            edit: { zones in
                try zones.edit("reflector.net.portsets") { $0 + "map  s9  r1284  sjc\n" }
            },
            {
                network in
                try await network.start("ns1")
                try await network.waitUntilReady("ns1")
                let server = try Server("ns1", of: network)
                let ops = "\(try network.node("ns1").ops)"
                let arguments = [
                    "override", "depool", "sjc-1", "--for", "1h", "--why", "test", "--operator",
                    network.identities.operatorFolder, "--zones", network.zones.path, "--server", ops,
                ]
                let refused = try Program.run(Program.reflector, arguments)
                print(refused.errors)
                #expect(refused.code == 1 && refused.errors.contains("(map s9 r1284 sjc)"))
                #expect(try server.hosts("n1.r1284.s9") == ["sjc-1"])
                let forced = try Program.run(Program.reflector, arguments + ["--force"])
                #expect(forced.code == 0, "\(forced.errors)")
                try await Self.wait(server, "n1.r1284.s9", [], within: .seconds(1))
                #expect(try server.text("n1.r1284.s9.explain").contains("answer=none: all hosts are depooled"))
            })
    }
}
