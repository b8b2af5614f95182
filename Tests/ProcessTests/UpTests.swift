import Foundation
import Glibc
import TestSupport
import Testing

@testable import reflector

@Suite("reflector up", .serialized)
struct UpTests {
    @Test("runs the example network for a few seconds, loses nothing and leaves no process")
    func runs() throws {
        let folder = try TemporaryFolder()
        let zones = try ZonesCopy(net: 61, in: folder.path)
        let result = try Program.run(
            Program.reflector, ["up", "--zones", zones.path, "--for", "5", "--state", folder.path + "/run"], seconds: 60
        )
        #expect(result.code == 0, "\(result.output)\n\(result.errors)")
        let rows = result.lines.filter { $0.hasPrefix("edge-") }.suffix(2).map { $0.split(separator: " ") }
        #expect(rows.map { $0[0] } == ["edge-bos", "edge-nen"])
        for row in rows {
            #expect(try #require(Int(row[2])) > 300, "delivered at \(row[0])")
            #expect(row[3] == "0", "lost at \(row[0])")
        }
        #expect(result.lines.last == "Nothing lost.")
        #expect(try processes(mentioning: folder.path).isEmpty)
    }

    @Test("killed by SIGKILL, it leaves no process either")
    func killed() async throws {
        let folder = try TemporaryFolder()
        let zones = try ZonesCopy(net: 62, in: folder.path)
        let up = Process()
        up.executableURL = URL(fileURLWithPath: Program.reflector)
        up.arguments = ["up", "--zones", zones.path, "--state", folder.path + "/run"]
        up.standardOutput = FileHandle.nullDevice
        up.standardError = FileHandle.nullDevice
        try up.run()
        defer { kill(up.processIdentifier, SIGKILL) }
        try await eventually("13 processes", within: .seconds(40)) {
            try processes(mentioning: folder.path).count >= 14
        }
        // Command lines, which every user of the machine can read, hold no secret, not even the encoder's key.
        let keys = try String(contentsOfFile: folder.path + "/run/keys", encoding: .utf8)
        for secret in keys.split(whereSeparator: \.isWhitespace) where secret.utf8.count >= 32 {
            #expect(try processes(mentioning: String(secret)).isEmpty)
        }
        kill(up.processIdentifier, SIGKILL)
        try await eventually("the end of all", within: .seconds(10)) { try processes(mentioning: folder.path).isEmpty }
    }

    @Test(
        "Ctrl-C ends it cleanly at any time, and leaves no process",
        arguments: [50, 300, 900, 2_000, 4_000, 9_000])
    func interrupted(milliseconds: Int) async throws {
        let folder = try TemporaryFolder()
        let zones = try ZonesCopy(net: 87, in: folder.path)
        let up = Process()
        up.executableURL = URL(fileURLWithPath: Program.reflector)
        up.arguments = ["up", "--zones", zones.path, "--state", folder.path + "/run"]
        up.standardOutput = FileHandle.nullDevice
        up.standardError = FileHandle.nullDevice
        try up.run()
        defer { kill(up.processIdentifier, SIGKILL) }
        try await Task.sleep(for: .milliseconds(milliseconds))
        let start = ContinuousClock.now
        // `up` has inherited the mask of a test's thread, which blocks signals: SIGINT must end it nevertheless.
        kill(up.processIdentifier, SIGINT)
        try await eventually("the end of up", within: .seconds(15)) { !up.isRunning }
        print("Ctrl-C after \(milliseconds) ms: ended \(ContinuousClock.now - start) later")
        #expect(try processes(mentioning: folder.path).isEmpty)
    }

    @Test("the reader of its output may exit before it")
    func brokenPipe() throws {
        let folder = try TemporaryFolder()
        let zones = try ZonesCopy(net: 88, in: folder.path)
        let command = "'\(Program.reflector)' up --zones '\(zones.path)' --for 2 --state '\(folder.path)/run'"
        let result = try Program.run("bash", ["-c", "\(command) | head -1; exit ${PIPESTATUS[0]}"], seconds: 60)
        #expect(result.code == 0, "\(result.output)\n\(result.errors)")
        #expect(try processes(mentioning: folder.path).isEmpty)
    }

    @Test("a second one at the same time reports that another runs, and does not disturb the first")
    func twice() async throws {
        let folder = try TemporaryFolder()
        let zones = try ZonesCopy(net: 82, in: folder.path)
        let first = Process()
        first.executableURL = URL(fileURLWithPath: Program.reflector)
        first.arguments = ["up", "--zones", zones.path, "--for", "6", "--state", folder.path + "/run"]
        let output = Pipe()
        first.standardOutput = output
        first.standardError = FileHandle.nullDevice
        try first.run()
        defer { kill(first.processIdentifier, SIGKILL) }
        try await eventually("13 processes", within: .seconds(40)) {
            try processes(mentioning: folder.path).count >= 14
        }
        // Command lines, which every user of the machine can read, hold no secret, not even the encoder's key.
        let keys = try String(contentsOfFile: folder.path + "/run/keys", encoding: .utf8)
        for secret in keys.split(whereSeparator: \.isWhitespace) where secret.utf8.count >= 32 {
            #expect(try processes(mentioning: String(secret)).isEmpty)
        }
        let second = try Program.run(Program.reflector, ["up", "--zones", zones.path, "--for", "2"], seconds: 30)
        #expect(second.code == 1)
        #expect(second.errors.contains("127.82.0.1:4980 (ns1's status port"))
        #expect(second.errors.contains("is in use: is another 'reflector up' running?"))
        #expect(!second.output.contains("The network is up"))
        try await eventually("the end of the first", within: .seconds(60)) { !first.isRunning }
        let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        #expect(first.terminationStatus == 0)
        #expect(said.contains("Nothing lost."))
    }

    @Test("a write error is reported in one line, with status 1", arguments: ["zone export", "zone check --json"])
    func fullDisk(command: String) throws {
        let result = try Program.run("bash", ["-c", "'\(Program.reflector)' \(command) zones >/dev/full"], seconds: 30)
        #expect(result.code == 1)
        #expect(result.errors == "reflector: standard output: No space left on device\n")
    }

    @Test("a network that does not fit this machine is refused with all reasons and exit 2")
    func refused() throws {
        let folder = try TemporaryFolder()
        let zones = try ZonesCopy(net: 63, in: folder.path)
        try zones.edit("reflector.net.zone") {
            $0.replacing("127.63.2.5", with: "10.0.0.5").replacing("127.63.1.3", with: "127.63.1.2")
        }
        let result = try Program.run(Program.reflector, ["up", "--zones", zones.path])
        #expect(result.code == 2)
        #expect(result.errors.contains("sjc-1 has the address 10.0.0.5"))
        #expect(result.errors.contains("share the address 127.63.1.2"))
    }

    /// The command lines of all processes that contain this text.
    private func processes(mentioning folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { Int($0) != nil }.compactMap { pid in
            let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") ?? Data()
            let text = String(decoding: line, as: UTF8.self).replacing("\0", with: " ")
            return text.contains(folder) ? text : nil
        }
    }
}
