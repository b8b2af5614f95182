/// The part of a log that shows why its process ended.
enum LogTail {
    /// Maximum number of lines shown.
    static let countMax = 15
    /// Number of lines before the report of a crash.
    private static let before = 3

    /// The last lines of a log. If the log ends with Swift's crash report, these are instead the lines around the start
    /// of the report, because the rest of it lists threads and registers. Equal consecutive lines are shown once.
    static func lines(of log: String) -> [Substring] {
        var lines: [Substring] = []
        for line in log.split(whereSeparator: \.isNewline) where line != lines.last { lines.append(line) }
        let crash = lines.firstIndex { $0.hasPrefix("*** ") || $0.contains("Fatal error:") }
        guard let crash else { return Array(lines.suffix(countMax)) }
        return Array(lines[max(0, crash - before)...].prefix(countMax))
    }
}
