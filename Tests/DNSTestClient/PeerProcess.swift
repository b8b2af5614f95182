import Foundation
import Glibc

/// A name server of another make, run for one test, of which nothing stays behind.
public final class PeerProcess {
    private let process = Process()

    /// - Parameters:
    ///   - command: program and arguments; it must stay in the foreground.
    ///   - log: a file that takes what it prints.
    public init(_ command: [String], log: String) throws {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.environment = ["PATH": "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"]
        // Threads of a test runner block signals, and programs inherit that: this one is to hear SIGTERM.
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

    /// Asks it to end, and ends it if it does not.
    public func stop() {
        guard process.isRunning else { return }
        process.terminate()
        // `waitUntilExit` needs a run loop, which a concurrency thread has not.
        for _ in 0..<250 where process.isRunning { usleep(20_000) }
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }
}
