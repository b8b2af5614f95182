import Foundation
import Glibc
import TestSupport
import Testing

@Suite("The name server in operation", .serialized)
struct NameServerOperationTests {
    private static let name = "n1.r1283.s4096.reflector.net"

    private func ask(_ server: String, port: UInt16, _ more: String...) throws -> [String] {
        try Program.run(
            "dig", ["@\(server)", "-p", "\(port)", "+time=1", "+tries=2", "+short"] + more + [Self.name]
        ).lines
    }

    @Test("A server on both wildcards answers at every address, over IPv4 and IPv6, UDP and TCP, from that address")
    func wildcards() async throws {
        let listen = ["--listen", "0.0.0.0:5383", "--listen", "[::]:5383", "--workers", "2"]
        try await RunningNameServer.with(net: 80, listen) { _ in
            // dig accepts replies only from the queried address.
            for server in ["127.81.2.1", "127.81.2.2", "::1"] {
                for transport in ["+notcp", "+tcp"] {
                    let answers = try ask(server, port: 5_383, transport)
                    #expect(answers == ["127.80.2.5"], "\(server) \(transport)")
                }
            }
        }
    }

    @Test("status shows a name server with its serial, counts the nodes shown, and omits nodes not requested")
    func status() async throws {
        let listen = ["--listen", "127.81.2.6:5386", "--ops", "127.81.2.6:4980"]
        try await RunningNameServer.with(net: 80, listen) { _ in
            let shown = try Program.run(Program.reflector, ["status", "--node", "127.81.2.6:4980"])
            #expect(shown.code == 0 && shown.errors.isEmpty, "\(shown.errors)")
            #expect(shown.output.contains("name server: serves reflector.net (serial "), "\(shown.output)")
            #expect(shown.output.contains("\ntotal: 0 nodes, 1 name server, 0 streams, 0 viewers; "), "\(shown.output)")
            let edges = ["status", "--node", "127.81.2.6:4980", "--role", "edge"]
            #expect(try !Program.run(Program.reflector, edges).output.contains("name server: serves"))
        }
    }

    @Test("Several addresses of both families answer; a second server on one of them does not start")
    func addresses() async throws {
        let listen = ["--listen", "127.81.2.3:5384", "--listen", "127.81.2.4:5385", "--listen", "[::1]:5384"]
        try await RunningNameServer.with(net: 80, listen) { _ in
            for (server, port) in [("127.81.2.3", UInt16(5_384)), ("127.81.2.4", 5_385), ("::1", 5_384)] {
                #expect(try ask(server, port: port) == ["127.80.2.5"])
            }
            let second = try RunningNameServer(net: 80, ["--listen", "127.81.2.4:5385", "--workers", "3"])
            try await eventually("its end") { second.hasEnded }
            #expect(second.code == 1 && second.log.contains("127.81.2.4"), "\(second.log)")
            await second.end()
        }
    }

    @Test(
        "Started by root, it binds port 53, gives its state to another user and permanently becomes that user",
        .enabled(if: geteuid() == 0))
    func privileges() async throws {
        try await RunningNameServer.with(net: 80, ["--listen", "127.81.2.5:53", "--user", "nobody"]) { folder, _ in
            let state = folder + "/state"
            try FileManager.default.createDirectory(atPath: state, withIntermediateDirectories: true)
            try "1 0\n".write(toFile: state + "/other.serial", atomically: false, encoding: .utf8)
            return ["--state", state]
        } _: { server in
            #expect(try ask("127.81.2.5", port: 53) == ["127.80.2.5"])
            let status = try String(contentsOfFile: "/proc/\(server.pid)/status", encoding: .utf8)
            let user = try #require(getpwnam("nobody")).pointee
            for (key, id) in [("Uid:", user.pw_uid), ("Gid:", user.pw_gid)] {
                let line = try #require(status.split(separator: "\n").first { $0.hasPrefix(key) })
                #expect(line.split(separator: "\t").dropFirst().allSatisfy { $0 == "\(id)" }, "\(line)")
            }
            let groups = try #require(status.split(separator: "\n").first { $0.hasPrefix("Groups:") })
            #expect(!groups.split(whereSeparator: \.isWhitespace).dropFirst().contains("0"), "\(groups)")
            // Every thread runs as that user, not only the first.
            for task in try FileManager.default.contentsOfDirectory(atPath: "/proc/\(server.pid)/task") {
                let path = "/proc/\(server.pid)/task/\(task)/status"
                let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? "Uid:\t\(user.pw_uid)"
                #expect(text.contains("Uid:\t\(user.pw_uid)"))
            }
            // It can still write its state.
            let file = server.folder + "/state/reflector.net.serial"
            let before = try String(contentsOfFile: file, encoding: .utf8)
            try server.zones.edit("reflector.net.portsets") { $0.replacing("sjc nyc lon", with: "lon nyc sjc") }
            try await eventually("a serial kept") { try String(contentsOfFile: file, encoding: .utf8) != before }
            for name in ["other.serial", "reflector.net.serial"] {
                var status = stat()
                #expect(stat(server.folder + "/state/" + name, &status) == 0 && status.st_uid == user.pw_uid, "\(name)")
            }
        }
    }

    @Test("An unknown user, or one that can't read the zones, is an error at the start", .enabled(if: geteuid() == 0))
    func wrongUsers() async throws {
        for (user, mode, problem) in [("no-such-user", 0o755, "no user"), ("nobody", 0o700, "can't read")] {
            let server = try RunningNameServer(net: 80, ["--listen", "127.81.2.6:5386", "--user", user]) { _, zones in
                try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: zones.path)
                return []
            }
            try await eventually("its end") { server.hasEnded }
            #expect(server.code == 1 && server.log.contains(problem), "\(server.log)")
            await server.end()
        }
    }

    @Test("The log is JSON if requested, has a sample of the queries, and SIGHUP reloads the files")
    func logs() async throws {
        let options = ["--listen", "127.81.2.7:5387", "--log-format", "json", "--log-queries", "1/1", "--workers", "1"]
        try await RunningNameServer.with(net: 80, options) { server in
            _ = try ask("127.81.2.7", port: 5_387)
            try await eventually("the query in the log") {
                server.log.contains(#""name":"n1.r1283.s4096.reflector.net""#)
            }
            let lines = server.log.split(separator: "\n")
            for line in lines {
                let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
                #expect(object?["time"] != nil && object?["level"] != nil && object?["msg"] != nil, "\(line)")
            }
            server.send(SIGHUP)
            #expect(try ask("127.81.2.7", port: 5_387) == ["127.80.2.5"], "it continues after SIGHUP")
            server.send(SIGTERM)
            try await eventually("its end") { server.hasEnded }
            #expect(server.code == 0)
        }
    }

    @Test("zone list shows what uses a host, a portset and a region")
    func zoneList() throws {
        let zones = Program.root.appendingPathComponent("zones").path
        let host = try Program.run(Program.reflector, ["zone", "list", "--host", "nyc-1", zones])
        #expect(host.code == 0 && host.output.contains("setregion nyc") && host.output.contains("map s"))
        let json = try Program.run(Program.reflector, ["zone", "list", "--portset", "s4096", zones, "--json"])
        #expect(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) is [Any])
        #expect(try Program.run(Program.reflector, ["zone", "list", "--region", "r1283", zones]).code == 0)
        #expect(try Program.run(Program.reflector, ["zone", "list", "--host", "nobody", zones]).code == 1)
        #expect(try Program.run(Program.reflector, ["zone", "list", zones]).code == 2)
        #expect(try Program.run(Program.reflector, ["zone", "list", "--portset", "x", zones]).code == 2)
    }
}
