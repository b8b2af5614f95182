/// Finds the `stream` line that answers a stream. It follows the rules of the DNS: an exact line, else the pattern at
/// the closest name that exists (RFC 4592 §3.3.1).
package struct StreamIndex: Sendable {
    private var exact: [String: Int] = [:]
    private var patterns: [String: Int] = [:]
    /// Every name that a line makes exist: the segments of each line and all their beginnings, joined by `/`.
    private var existing: Set<String> = []

    package init(_ streams: [ZoneContent.StreamRule]) {
        for (number, stream) in streams.enumerated() {
            let text = stream.segments.joined(separator: "/")
            if stream.isPattern { patterns[text] = number } else { exact[text] = number }
            for length in (0...stream.segments.count).reversed() {
                guard existing.insert(Self.joined(stream.segments, length)).inserted else { break }
            }
        }
    }

    /// The line that answers a stream.
    package struct Match: Equatable {
        /// Index in `ZoneContent.streams`.
        package var rule: Int
        /// Number of the stream's segments that the pattern has; nil for an exact line.
        package var patternDepth: Int?
    }

    /// Nil if no line answers the stream.
    package func match(_ segments: [String]) -> Match? {
        let text = segments.joined(separator: "/")
        if let number = exact[text] { return Match(rule: number) }
        guard !segments.isEmpty, !existing.contains(text) else { return nil }
        for length in (0..<segments.count).reversed() {
            let above = Self.joined(segments, length)
            guard existing.contains(above) else { continue }
            return patterns[above].map { Match(rule: $0, patternDepth: length) }
        }
        return nil
    }

    private static func joined(_ segments: [String], _ length: Int) -> String {
        segments[..<length].joined(separator: "/")
    }
}
