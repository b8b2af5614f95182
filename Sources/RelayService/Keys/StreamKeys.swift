import ReflectorModel

/// The keys with which encoders push streams.
public struct StreamKeys: Sendable, Equatable {
    /// Keys accepted at once for one stream, or for all streams below a prefix: two, to allow a key rollover.
    public static let keysMax = 2

    /// Keys by stream name; `prefixes` has them by prefix, which is `live/` for the pattern `live/*` and `""` for `*`.
    private var exact: [String: [String]] = [:]
    private var prefixes: [String: [String]] = [:]

    public init() {}

    /// Result of the check of a presented key.
    public enum Verdict: Sendable, Equatable {
        case accepted
        case missing
        case wrong
        /// There is no key for this stream, so nobody can push it.
        case unknownStream
    }

    public enum Pattern: Sendable, Hashable {
        case stream(StreamName)
        /// `live/*`: every stream below `live`; nil stands for `*`, every stream.
        case below(StreamName?)

        /// Reads `live/news`, `live/*` or `*`. Nil for anything else.
        public init?(_ text: some StringProtocol) {
            if text == "*" {
                self = .below(nil)
            } else if text.hasSuffix("/*") {
                guard let name = StreamName(text.dropLast(2)) else { return nil }
                self = .below(name)
            } else {
                guard let name = StreamName(text) else { return nil }
                self = .stream(name)
            }
        }
    }

    /// Why a key cannot be added.
    public enum Problem: Error, Sendable, Equatable {
        case duplicate
        case tooMany
    }

    /// Accepts `key` for the streams of a pattern from now on.
    public mutating func add(_ key: String, for pattern: Pattern) throws(Problem) {
        var list: [String]
        switch pattern {
        case .stream(let name): list = exact[name.text] ?? []
        case .below(let name): list = prefixes[Self.prefix(name)] ?? []
        }
        guard !list.contains(key) else { throw .duplicate }
        guard list.count < Self.keysMax else { throw .tooMany }
        list.append(key)
        switch pattern {
        case .stream(let name): exact[name.text] = list
        case .below(let name): prefixes[Self.prefix(name)] = list
        }
    }

    /// Checks a key in constant time: the time does not depend on how many characters are right.
    public func verdict(on presented: Substring?, for stream: StreamName) -> Verdict {
        guard let keys = keys(for: stream) else { return .unknownStream }
        guard let presented, !presented.isEmpty else { return .missing }
        var isRight = false
        for key in keys where Self.isEqual(key, presented) { isRight = true }
        return isRight ? .accepted : .wrong
    }

    /// The keys accepted for a stream: those of exactly its name, otherwise those of the longest pattern that matches;
    /// nil if there are none. The first key is the one to distribute.
    public func keys(for stream: StreamName) -> [String]? {
        if let keys = exact[stream.text] { return keys }
        var segments = stream.segments.dropLast()
        while true {
            let prefix = segments.isEmpty ? "" : segments.joined(separator: "/") + "/"
            if let keys = prefixes[prefix] { return keys }
            guard segments.popLast() != nil else { return nil }
        }
    }

    /// The first key of exactly this pattern.
    func first(for pattern: Pattern) -> String? {
        switch pattern {
        case .stream(let name): exact[name.text]?.first
        case .below(let name): prefixes[Self.prefix(name)]?.first
        }
    }

    /// Number of lines for these keys in a key file.
    public var count: Int { lines.count }

    /// Pattern and key of each line of a key file, in order of the pattern.
    var lines: [(pattern: String, key: String)] {
        let all = exact.map { ($0.key, $0.value) } + prefixes.map { ($0.key + "*", $0.value) }
        return all.sorted { $0.0 < $1.0 }.flatMap { entry in entry.1.map { (entry.0, $0) } }
    }

    private static func prefix(_ name: StreamName?) -> String { name.map { $0.text + "/" } ?? "" }

    private static func isEqual(_ key: String, _ presented: Substring) -> Bool {
        let key = Array(key.utf8)
        let presented = Array(presented.utf8)
        var difference: UInt8 = key.count == presented.count ? 0 : 1
        for (index, byte) in key.enumerated() {
            difference |= byte ^ (index < presented.count ? presented[index] : ~byte)
        }
        return difference == 0
    }
}
