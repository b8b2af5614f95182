import Foundation
import Glibc

/// Another name server implementation, run for one test and cleaned up completely.
public final class PeerProcess {
    private let process = Process()

    /// - Parameters:
    ///   - command: program and arguments; it must stay in the foreground.
    ///   - log: a file for its output.
    public init(_ command: [String], log: String) throws {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.environment = ["PATH": "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"]
        // Threads of a test runner block signals, and programs inherit that: this program must receive SIGTERM.
        process.arguments = ["--default-signal"] + command
        if !FileManager.default.fileExists(atPath: log) { try Data().write(to: URL(fileURLWithPath: log)) }
        let output = try FileHandle(forWritingTo: URL(fileURLWithPath: log))
        try output.seekToEnd()
        process.standardOutput = output
        process.standardError = output
        try process.run()
    }

    deinit { stop() }

    public var isRunning: Bool { process.isRunning }

    /// Asks it to stop, and kills it if it does not.
    public func stop() {
        guard process.isRunning else { return }
        process.terminate()
        // `waitUntilExit` needs a run loop, which a concurrency thread does not have.
        for _ in 0..<250 where process.isRunning { usleep(20_000) }
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }
}
