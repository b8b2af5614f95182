import Foundation
import TestSupport

/// The programs that tests run.
enum Program {
    /// The folder of the package.
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// The `reflector` in the folder of the test program, built with these tests; otherwise that of the release build.
    static let reflector =
        Bundle.main.executableURL.map {
            $0.resolvingSymlinksInPath().deletingLastPathComponent().appendingPathComponent("reflector").path
        }.flatMap { FileManager.default.isExecutableFile(atPath: $0) ? $0 : nil }
        ?? root.appendingPathComponent(".build/release/reflector").path

    /// The result of a program that has ended.
    struct Result: Sendable {
        var code: Int32
        var output: String
        var errors: String

        var lines: [String] { output.split(separator: "\n").map(String.init) }
    }

    /// Exit code of a program that exceeded its time (timeout(1)).
    static let timedOut: Int32 = 124

    /// Runs a program until it ends, for at most `seconds`.
    /// - Parameter command: path, or a name on the PATH.
    @discardableResult
    static func run(_ command: String, _ arguments: [String], seconds: Int = 15) throws -> Result {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        // Output goes to files, not to pipes, so that nothing has to read while the program runs.
        let output = folder.url.appendingPathComponent("output")
        let errors = folder.url.appendingPathComponent("errors")
        for file in [output, errors] { try Data().write(to: file) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["timeout", "--kill-after=2", "\(seconds)", command] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        process.waitUntilExit()
        return Result(
            code: process.terminationStatus, output: String(decoding: try Data(contentsOf: output), as: UTF8.self),
            errors: String(decoding: try Data(contentsOf: errors), as: UTF8.self))
    }

    /// Queries a server with `dig`.
    static func dig(_ arguments: String..., server: String, port: UInt16 = 5_300) throws -> Result {
        try run("dig", ["@\(server)", "-p", "\(port)", "+time=1", "+tries=2"] + arguments, seconds: 10)
    }
}
