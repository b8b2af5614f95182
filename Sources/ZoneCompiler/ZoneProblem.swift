/// One thing wrong with a generation, where it is and what to do about it: `file:line:column: …`.
public struct ZoneProblem: Error, Sendable, Hashable, Comparable, CustomStringConvertible {
    public enum Severity: String, Sendable {
        /// The generation is refused.
        case error
        /// The generation is served, but is probably not as intended.
        case warning
    }

    public var severity: Severity
    /// File name without its directory; `.` where the directory itself is meant.
    public var file: String
    /// From 1.
    public var line: Int
    /// In bytes, from 1.
    public var column: Int
    /// What is wrong, and what to do.
    public var message: String

    public init(severity: Severity, file: String, line: Int, column: Int, message: String) {
        self.severity = severity
        self.file = file
        self.line = line
        self.column = column
        self.message = message
    }

    /// What `file` says of a problem of the directory itself.
    static let directory = "."

    public var description: String { isOfDirectory ? sentence : "\(file):\(line):\(column): \(sentence)" }

    /// As `description`, with the file's path from the working directory.
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
    /// Most problems kept per file; the rest are counted.
    static let countMax = 1_000

    let file: String
    private(set) var problems: [ZoneProblem] = []
    private(set) var dropped = 0

    init(file: String) { self.file = file }

    // Messages of problems that are only counted are not built.

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
        // Warnings must not displace the reason of a refusal: one error always fits.
        if problems.count >= Self.countMax {
            dropped += 1
            guard severity == .error, !hasErrors else { return }
        }
        if severity == .error { hasErrors = true }
        problems.append(
            ZoneProblem(severity: severity, file: file, line: line, column: column, message: message()))
    }

    private(set) var hasErrors = false

    /// All kept problems, with a last one that counts what was dropped.
    func finished() -> [ZoneProblem] {
        guard dropped > 0 else { return problems }
        return problems + [
            ZoneProblem(
                severity: .warning, file: file, line: Int(Int32.max), column: 1,
                message: "\(dropped) more problems in this file are not shown; mend the ones above and check again")
        ]
    }
}
