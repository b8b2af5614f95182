/// The part of a log that tells a person why its process ended.
enum LogTail {
    /// Most lines shown.
    static let countMax = 15
    /// How many of them come before the report of a crash.
    private static let before = 3

    /// The last lines; of a log that ends with Swift's report of a crash, those around its head, since what follows is
    /// threads and registers. What stands there twice in a row is shown once.
    static func lines(of log: String) -> [Substring] {
        var lines: [Substring] = []
        for line in log.split(whereSeparator: \.isNewline) where line != lines.last { lines.append(line) }
        let crash = lines.firstIndex { $0.hasPrefix("*** ") || $0.contains("Fatal error:") }
        guard let crash else { return Array(lines.suffix(countMax)) }
        return Array(lines[max(0, crash - before)...].prefix(countMax))
    }
}
