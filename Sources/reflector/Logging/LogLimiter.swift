/// Decides which log lines are written: a few of each kind in a window of time, and then one line with the number of
/// omitted ones. A kind is a source location, a level, and the message without its variable parts (names, numbers,
/// addresses). So a client that can cause a message cannot fill the disk or hide other messages with it.
struct LogLimiter {
    /// Nanoseconds of a window, which begins with a kind's first line.
    static let windowNanoseconds: Int64 = 10_000_000_000
    /// Lines of a kind in a window: for warnings and errors, and for lower levels.
    static let warningsMax = 4
    static let noticesMax = 20
    /// Kinds of one source location that are counted separately; further ones are counted together.
    static let kindsPerLocationMax = 8
    /// Most kinds kept; further ones are counted together.
    static let kindsMax = 1_024
    /// Longest message kept for the line about omitted ones.
    private static let sampleLengthMax = 160

    /// A line to log.
    struct Line {
        var file: String
        var line: UInt
        var isGrave: Bool
        var message: String
    }

    /// Omitted lines of a kind, in a window that is over.
    struct Omission: Equatable {
        /// The message of the first omitted line.
        var message: String
        var isGrave: Bool
        var count: Int
        var seconds: Int
    }

    private struct Kind: Hashable {
        var location: Location
        /// Empty for the entry that counts all further kinds of a location.
        var shape: String
    }

    private struct Location: Hashable {
        var file: String
        var line: UInt
        var isGrave: Bool

        /// Used for every location when the table is full.
        static let all = Location(file: "", line: 0, isGrave: true)
    }

    private struct Window {
        var start: Int64
        var written = 0
        var omitted = 0
        var sample = ""
    }

    private var windows: [Kind: Window] = [:]
    private var shapes: [Location: Int] = [:]
    /// When the oldest window began; no other window ends before it.
    private var oldest = Int64.max

    /// Kinds kept now.
    var kindCount: Int { windows.count }

    /// True if the line must be written.
    mutating func admits(_ line: Line, at now: Int64) -> Bool {
        let kind = kind(of: line)
        oldest = min(oldest, now)
        var window = windows[kind] ?? Window(start: now)
        defer { windows[kind] = window }
        guard window.written >= (line.isGrave ? Self.warningsMax : Self.noticesMax) else {
            window.written += 1
            return true
        }
        if window.omitted == 0 { window.sample = String(line.message.prefix(Self.sampleLengthMax)) }
        window.omitted += 1
        return false
    }

    /// Ends the windows that are over, and returns their omitted lines.
    mutating func expire(at now: Int64) -> [Omission] {
        guard oldest != .max, now - oldest >= Self.windowNanoseconds else { return [] }
        oldest = .max
        var omissions: [(start: Int64, Omission)] = []
        for (kind, window) in windows {
            guard now - window.start >= Self.windowNanoseconds else {
                oldest = min(oldest, window.start)
                continue
            }
            windows[kind] = nil
            shapes[kind.location, default: 1] -= 1
            if shapes[kind.location] == 0 { shapes[kind.location] = nil }
            guard window.omitted > 0 else { continue }
            let seconds = Int((now - window.start) / 1_000_000_000)
            omissions.append(
                (
                    window.start,
                    Omission(
                        message: window.sample, isGrave: kind.location.isGrave, count: window.omitted, seconds: seconds)
                ))
        }
        return omissions.sorted { $0.start < $1.start }.map(\.1)
    }

    private mutating func kind(of line: Line) -> Kind {
        let location = Location(file: line.file, line: line.line, isGrave: line.isGrave)
        let exact = Kind(location: location, shape: Self.shape(of: line.message))
        if windows[exact] != nil { return exact }
        let hasRoom = windows.count < Self.kindsMax && (shapes[location] ?? 0) < Self.kindsPerLocationMax
        let kind = hasRoom ? exact : Kind(location: windows.count < Self.kindsMax ? location : .all, shape: "")
        if windows[kind] == nil { shapes[kind.location, default: 0] += 1 }
        return kind
    }

    /// A message with `*` for each variable word: one that contains anything but letters, commas, colons and
    /// semicolons.
    static func shape(of message: String) -> String {
        var shape = ""
        for word in message.prefix(sampleLengthMax).split(separator: " ") {
            let isPlain = word.utf8.allSatisfy { byte in
                (65...90).contains(byte) || (97...122).contains(byte) || byte == 44 || byte == 58 || byte == 59
            }
            shape += isPlain ? word + " " : "* "
        }
        return shape
    }
}
