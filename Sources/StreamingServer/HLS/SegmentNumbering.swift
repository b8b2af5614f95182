/// The state from which a stream's playlist numbers continue after the stream was absent or, if the state was read from
/// a file, after a restart of the edge.
struct SegmentNumbering: Equatable, Sendable, Codable {
    /// Lowest media sequence number of the next segment.
    var next: Int64
    /// Media sequence number minus slot, as of the newest segment.
    var lead: Int64 = 0
    /// Lowest `EXT-X-DISCONTINUITY-SEQUENCE` of a playlist that begins now.
    var discontinuities: Int64 = 0
    /// The target duration in the stream's recent playlists.
    var targetSeconds: Int?

    /// The stream continues if a segment's slot plus `lead` is at least `next` and less than `next` plus this. A larger
    /// distance means another time line.
    private static let aheadMax: Int64 = 43_200
    /// How many numbers may have been used after the file was written.
    private static let margin: Int64 = 64
    /// Largest number accepted: players may parse a number as a double, which holds every integer up to this.
    private static let numberMax: Int64 = 1 << 53

    /// The number of a segment that begins a playlist: its slot plus `lead`, or `next` if that sum is not above the
    /// numbers used before, or is too far above them.
    func first(slot: Int64) -> Int64 {
        let alike = slot &+ lead
        return alike >= next && alike &- next < Self.aheadMax ? alike : next
    }

    /// The state to continue from, if this one was read from a file, which may be some segments old. Nil if it is
    /// implausible.
    var restored: SegmentNumbering? {
        guard (0...Self.numberMax).contains(next), (-Self.numberMax...Self.numberMax).contains(lead),
            (0...Self.numberMax).contains(discontinuities)
        else { return nil }
        var numbering = self
        numbering.next += Self.margin
        numbering.discontinuities += Self.margin
        if let seconds = targetSeconds, !(1...60).contains(seconds) { numbering.targetSeconds = nil }
        return numbering
    }
}
