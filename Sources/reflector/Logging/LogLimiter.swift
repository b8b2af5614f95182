/// Decides which log lines are written: of each kind a few in a window of time, and then one that says how many were left
/// out. A kind is a place in the source and a level, and the message without what differs from line to line (names, numbers,
/// addresses). So nobody who can cause a message can fill the disk, or hide other messages, by causing it often.
struct LogLimiter {
    /// Nanoseconds of a window, which begins with a kind's first line.
    static let windowNanoseconds: Int64 = 10_000_000_000
    /// Lines of a kind in a window: of warnings and errors, and of anything less grave.
    static let warningsMax = 4
    static let noticesMax = 20
    /// Kinds of one place in the source that are told apart; further ones count together.
    static let kindsPerCallSiteMax = 8
    /// Kinds remembered; with more, further ones count together.
    static let kindsMax = 1_024
    /// Longest message that is kept for the line about those left out.
    private static let sampleLengthMax = 160

    /// What is logged.
    struct Line {
        var file: String
        var line: UInt
        var isGrave: Bool
        var message: String
    }

    /// Lines of a kind that were left out of a window that is over.
    struct Omission: Equatable {
        /// Of the first one left out.
        var message: String
        var isGrave: Bool
        var count: Int
        var seconds: Int
    }

    private struct Kind: Hashable {
        var place: CallSite
        /// Empty for all kinds of a place for which there was no room.
        var shape: String
    }

    private struct CallSite: Hashable {
        var file: String
        var line: UInt
        var isGrave: Bool

        /// Stands for every place when the table is full.
        static let all = CallSite(file: "", line: 0, isGrave: true)
    }

    private struct Window {
        var start: Int64
        var written = 0
        var omitted = 0
        var sample = ""
    }

    private var windows: [Kind: Window] = [:]
    private var shapes: [CallSite: Int] = [:]
    /// When the oldest window began; nothing is over before it is.
    private var oldest = Int64.max

    /// Kinds remembered now.
    var kindCount: Int { windows.count }

    /// True if the line is to be written.
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

    /// Ends the windows that are over, and returns what was left out of them.
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
            shapes[kind.place, default: 1] -= 1
            if shapes[kind.place] == 0 { shapes[kind.place] = nil }
            guard window.omitted > 0 else { continue }
            let seconds = Int((now - window.start) / 1_000_000_000)
            omissions.append(
                (
                    window.start,
                    Omission(
                        message: window.sample, isGrave: kind.place.isGrave, count: window.omitted, seconds: seconds)
                ))
        }
        return omissions.sorted { $0.start < $1.start }.map(\.1)
    }

    private mutating func kind(of line: Line) -> Kind {
        let place = CallSite(file: line.file, line: line.line, isGrave: line.isGrave)
        let exact = Kind(place: place, shape: Self.shape(of: line.message))
        if windows[exact] != nil { return exact }
        let hasRoom = windows.count < Self.kindsMax && (shapes[place] ?? 0) < Self.kindsPerCallSiteMax
        let kind = hasRoom ? exact : Kind(place: windows.count < Self.kindsMax ? place : .all, shape: "")
        if windows[kind] == nil { shapes[kind.place, default: 0] += 1 }
        return kind
    }

    /// A message without the words that differ from one to the next: whatever is not of letters alone.
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
