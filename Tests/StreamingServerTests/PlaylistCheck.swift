import Testing

/// Checks the successive playlists of one stream against the rules of RFC 8216, as strictly as a validator.
struct PlaylistCheck {
    struct Segment: Equatable {
        var uri: String
        var milliseconds: Int
        /// Discontinuity sequence number (RFC 8216 §6.2.2).
        var part: Int
        var isMarked: Bool
    }

    /// All segments that were ever listed, by media sequence number.
    private(set) var segments: [Int: Segment] = [:]
    /// The rules that were broken.
    private(set) var faults: [String] = []
    private var sequence = -1
    private var part = -1
    private var target: Int?

    init(_ playlists: [String]) {
        for text in playlists { read(text) }
        let numbers = segments.keys.sorted()
        for (a, b) in zip(numbers, numbers.dropFirst()) {
            guard let first = segments[a], let second = segments[b], b == a + 1 else { continue }
            // §6.2.2: the number goes up by one where the tag is, and nowhere else.
            if second.part != first.part + (second.isMarked ? 1 : 0) { faults.append("part of \(b)") }
        }
        if Set(segments.values.map(\.uri)).count != segments.count { faults.append("one name for two segments") }
    }

    /// How often `EXT-X-DISCONTINUITY` was written.
    var marks: Int { segments.values.count { $0.isMarked } }

    private mutating func read(_ text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.first != "#EXTM3U" || lines.last != "" { faults.append("no first line, or no end of line") }
        var number = 0
        var current = 0
        var duration: Int?
        var isMarked = false
        var seen: Set<String> = []
        for line in lines.dropFirst().dropLast() {
            let parts = line.split(separator: ":", maxSplits: 1).map(String.init)
            let value = parts.count > 1 ? parts[1] : ""
            if parts.first?.hasPrefix("#EXT-X-") ?? false, line != "#EXT-X-DISCONTINUITY",
                !seen.insert(parts[0]).inserted || !segmentsAreAbsent(duration, isMarked)
            {
                faults.append("\(parts[0]) twice, or after a segment's tags")
            }
            switch parts.first {
            case "#EXT-X-VERSION": if value != "3" { faults.append("version") }
            case "#EXT-X-TARGETDURATION":
                if let target, Int(value) != target { faults.append("another target duration") }
                target = Int(value)
            case "#EXT-X-MEDIA-SEQUENCE":
                number = Int(value) ?? -1
                if number < sequence { faults.append("media sequence went back to \(number)") }
                sequence = number
            case "#EXT-X-DISCONTINUITY-SEQUENCE":
                current = Int(value) ?? -1
            case "#EXT-X-DISCONTINUITY":
                if isMarked { faults.append("two tags before one segment") }
                isMarked = true
                current += 1
            case "#EXTINF":
                if duration != nil { faults.append("EXTINF twice") }
                guard value.hasSuffix(","), let seconds = Double(value.dropLast()) else {
                    faults.append("EXTINF \(value)")
                    continue
                }
                duration = Int((seconds * 1_000).rounded())
                if seconds < 0.2 { faults.append("very short: \(seconds)") }
                if Int(seconds.rounded()) > target ?? 0 { faults.append("longer than the target: \(seconds)") }
            default:
                guard !line.hasPrefix("#"), !line.isEmpty, let milliseconds = duration else {
                    faults.append("line \(line)")
                    continue
                }
                let segment = Segment(uri: line, milliseconds: milliseconds, part: current, isMarked: isMarked)
                if let before = segments[number], before != segment { faults.append("segment \(number) changed") }
                segments[number] = segment
                number += 1
                duration = nil
                isMarked = false
            }
        }
        if duration != nil || isMarked { faults.append("tags without a segment") }
        if target == nil { faults.append("no target duration") }
        // §6.2.2: the discontinuity sequence of the playlist never goes back.
        let first = segments[sequence].map { $0.part - ($0.isMarked ? 1 : 0) } ?? -1
        if first < part { faults.append("discontinuity sequence went back") }
        part = first
    }

    private func segmentsAreAbsent(_ duration: Int?, _ isMarked: Bool) -> Bool { duration == nil && !isMarked }
}
