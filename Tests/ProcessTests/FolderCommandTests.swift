import Foundation
import TestSupport
import Testing

@testable import reflector

/// The commands for a name server's folders, while the server uses them.
@Suite("zone accept and zone serial", .serialized)
struct FolderCommandTests {
    private func serial(_ server: String) throws -> UInt32? {
        try Program.dig("+short", "reflector.net", "SOA", server: server).output.split(separator: " ").dropFirst(2)
            .first.flatMap { UInt32($0) }
    }

    private func isAnswered(_ server: String) throws -> Bool {
        try Program.dig("+short", "n1.r1283.s4096.reflector.net", server: server).output.hasPrefix("127.")
    }

    @Test("The removal of a map file is refused, and the old map is served, until `zone accept` accepts the removal")
    func accept() async throws {
        try await RunningNameServer.with(net: 108, ["--listen", "127.108.1.1:5300"]) { server in
            let file = server.zones.path + "/reflector.net.portsets"
            let before = try #require(try serial("127.108.1.1"))
            try FileManager.default.removeItem(atPath: file)
            try await eventually("the refusal") { server.log.contains("was there and is gone") }
            #expect(server.log.contains("reflector zone accept"))
            #expect(try isAnswered("127.108.1.1"))
            #expect(try serial("127.108.1.1") == before)

            let accepted = try Program.run(Program.reflector, ["zone", "accept", file])
            #expect(accepted.code == 0, "\(accepted.errors)")
            #expect(accepted.output.contains("empty now"))
            try await eventually("the map's end") { try !isAnswered("127.108.1.1") }
            let after = try #require(try serial("127.108.1.1"))
            #expect(after > before)

            let again = try Program.run(Program.reflector, ["zone", "accept", file])
            #expect(again.code == 2 && again.errors.contains("exists; nothing to accept"), "\(again.errors)")
            let nowhere = try Program.run(Program.reflector, ["zone", "accept", "/nowhere/x.streams"])
            #expect(nowhere.code == 2 && nowhere.errors.contains("no /nowhere/x.zone beside it"), "\(nowhere.errors)")
        }
    }

    @Test("`zone serial` shows the kept serial, and --raise permanently raises the serial of a running server")
    func raise() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let state = folder.path
        let nothing = try Program.run(Program.reflector, ["zone", "serial", state])
        #expect(nothing.code == 1 && nothing.errors.contains("no serial is kept here"), "\(nothing.errors)")
        let arguments = ["--listen", "127.109.1.1:5300", "--state", state]
        var raised: UInt32 = 0
        try await RunningNameServer.with(net: 109, arguments) { _ in
            let before = try #require(try serial("127.109.1.1"))
            let shown = try Program.run(Program.reflector, ["zone", "serial", state])
            #expect(shown.output == "reflector.net \(before)\n")

            let target = before &+ 1_000_000
            let asked = try Program.run(
                Program.reflector, ["zone", "serial", state, "--raise", "--above", "\(target)"])
            #expect(asked.code == 0, "\(asked.errors)")
            try await eventually("a higher serial", within: .seconds(10)) {
                try serial("127.109.1.1") ?? 0 > target
            }
            raised = try #require(try serial("127.109.1.1"))

            let backwards = try Program.run(
                Program.reflector, ["zone", "serial", state, "--raise", "--above", "\(before)"])
            #expect(backwards.code == 1 && backwards.errors.contains("RFC 1982"), "\(backwards.errors)")
        }
        try await RunningNameServer.with(net: 109, arguments) { _ in
            let after = try #require(try serial("127.109.1.1"))
            #expect(after >= raised)
        }
    }
}
