/// A problem of a generation, with its position and remedy: `file:line:column: …`.
public struct ZoneProblem: Error, Sendable, Hashable, Comparable, CustomStringConvertible {
    public enum Severity: String, Sendable {
        /// The generation is refused.
        case error
        /// The generation is served, but is probably not as intended.
        case warning
    }

    public var severity: Severity
    /// File name without its directory; `.` for the directory itself.
    public var file: String
    /// The line number, starting at 1.
    public var line: Int
    /// In bytes, starting at 1.
    public var column: Int
    /// The problem, and its remedy.
    public var message: String

    public init(severity: Severity, file: String, line: Int, column: Int, message: String) {
        self.severity = severity
        self.file = file
        self.line = line
        self.column = column
        self.message = message
    }

    /// The value of `file` for a problem of the directory itself.
    static let directory = "."

    public var description: String { isOfDirectory ? sentence : "\(file):\(line):\(column): \(sentence)" }

    /// Like `description`, with the path `directory` before the file name, or in place of `.`.
    public func description(in directory: String) -> String {
        isOfDirectory
            ? "\(directory): \(sentence)" : directory.hasSuffix("/") ? "\(directory)\(self)" : "\(directory)/\(self)"
    }

    private var isOfDirectory: Bool { file == Self.directory }
    private var sentence: String { (severity == .warning ? "warning: " : "") + message }

    public static func < (a: ZoneProblem, b: ZoneProblem) -> Bool {
        (a.file, a.line, a.column, a.message) < (b.file, b.line, b.column, b.message)
    }
}

/// Collects the problems of one file. It keeps a limited number, so that a hostile file can't exhaust memory.
struct ProblemList {
    /// Maximum number of problems kept per file; the rest are counted.
    static let countMax = 1_000

    let file: String
    private(set) var problems: [ZoneProblem] = []
    private(set) var dropped = 0

    init(file: String) { self.file = file }

    // The message is an autoclosure, so that no message is built for a problem that is only counted.

    mutating func error(_ line: Int, _ column: Int, _ message: @autoclosure () -> String) {
        add(.error, line, column, message)
    }
    mutating func warning(_ line: Int, _ column: Int, _ message: @autoclosure () -> String) {
        add(.warning, line, column, message)
    }
    mutating func error(_ word: Word, _ message: @autoclosure () -> String) {
        add(.error, word.line, word.column, message)
    }
    mutating func warning(_ word: Word, _ message: @autoclosure () -> String) {
        add(.warning, word.line, word.column, message)
    }

    private mutating func add(_ severity: ZoneProblem.Severity, _ line: Int, _ column: Int, _ message: () -> String) {
        // Warnings must not displace the reason for a refusal: there is always room for one error.
        guard problems.count < Self.countMax || severity == .error && !hasErrors else {
            if severity == .error { errorCount += 1 }
            dropped += 1
            return
        }
        if severity == .error { errorCount += 1 }
        problems.append(
            ZoneProblem(severity: severity, file: file, line: line, column: column, message: message()))
    }

    /// Number of errors, including those that are not kept.
    private(set) var errorCount = 0
    private var hasErrors: Bool { errorCount > 0 }

    /// All problems that were kept, followed by one that reports how many were dropped, if any were.
    func finished() -> [ZoneProblem] {
        guard dropped > 0 else { return problems }
        return problems + [
            ZoneProblem(
                severity: .warning, file: file, line: Int(Int32.max), column: 1,
                message: "\(dropped) more problems in this file are not shown; fix those above and check again")
        ]
    }
}
