/// What children say that they received and missed, added up over all links since the start.
struct ReportTotals {
    private(set) var received: UInt64 = 0
    private(set) var lost: UInt64 = 0

    /// Adds what a report has more than the last one of its link. Counts of a link are modulo 2³², and what was missed may
    /// still come. False if a newer report has overtaken this one: it adds nothing.
    mutating func add(
        received newReceived: UInt32, lost newLost: UInt32, after last: (received: UInt32, lost: UInt32)
    ) -> Bool {
        let more = Int32(bitPattern: newReceived &- last.received)
        guard more >= 0 else { return false }
        received &+= UInt64(more)
        let missed = Int64(Int32(bitPattern: newLost &- last.lost))
        lost = UInt64(max(Int64(clamping: lost) + missed, 0))
        return true
    }
}
