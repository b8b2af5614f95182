import Foundation
import Glibc
import TestSupport

/// A `reflector nameserver` with a copy of the example zones, for one test.
final class RunningNameServer {
    private let temporary: TemporaryFolder
    var folder: String { temporary.path }
    let zones: ZonesCopy
    private let process = Process()
    private let logFile: String

    var pid: pid_t { process.processIdentifier }
    var log: String { (try? String(contentsOfFile: logFile, encoding: .utf8)) ?? "" }
    var hasEnded: Bool { !process.isRunning }
    var code: Int32 { process.terminationStatus }

    /// - Parameters:
    ///   - net: second byte of the zone's addresses.
    ///   - prepare: changes the folder before the server starts.
    init(
        net: UInt8, _ arguments: [String], prepare: (String, ZonesCopy) throws -> [String] = { _, _ in [] }
    ) throws {
        temporary = try TemporaryFolder()
        let folder = temporary.path
        zones = try ZonesCopy(net: net, in: folder)
        logFile = folder + "/log"
        try Data().write(to: URL(fileURLWithPath: logFile))
        let more = try prepare(folder, zones)
        process.executableURL = URL(fileURLWithPath: Program.reflector)
        process.arguments = ["nameserver", "--zones", zones.path] + arguments + more
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: logFile))
        try process.run()
    }

    /// Runs a test with a ready server and leaves nothing behind; prints the server's log if the test throws.
    static func with(
        net: UInt8, _ arguments: [String], prepare: (String, ZonesCopy) throws -> [String] = { _, _ in [] },
        _ body: (RunningNameServer) async throws -> Void
    ) async throws {
        let server = try RunningNameServer(net: net, arguments, prepare: prepare)
        do {
            try await eventually("ready") {
                server.log.contains("msg=ready ") || server.log.contains(#""msg":"ready""#)
            }
            try await body(server)
        } catch {
            print(server.log)
            await server.end()
            throw error
        }
        await server.end()
    }

    func send(_ signal: Int32) { Glibc.kill(pid, signal) }

    func end() async {
        send(SIGKILL)
        try? await eventually("end", every: .milliseconds(5)) { self.hasEnded }
        temporary.remove()
    }
}
