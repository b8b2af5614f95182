import DNSAnswers

/// Refuses a revocation list that would take back revocations: a list older than the newest one that this name server
/// has served, or another list with the same number. Nodes keep the newest list that they know, so an older one would
/// be in force only at nodes that start without state, and nobody would notice.
enum RevocationRollback {
    /// The problem of a generation's list, with its remedy.
    ///
    /// - Parameters:
    ///   - served: the zone as it is served now.
    ///   - highest: number of the newest list served so far, by earlier processes too; 0 if there was none.
    static func problem(_ content: ZoneContent, served: ZoneContent?, highest: UInt64) -> String? {
        guard let new = content.revocations else { return nil }
        let place = "\(new.source.file):\(new.source.line):1"
        guard new.sequence >= highest else {
            return "\(place): revocation list \(new.sequence) is older than list \(highest), which was served; put "
                + "the newest list here, or sign one with a number above \(highest)"
        }
        guard let old = served?.revocations, old.sequence == new.sequence,
            served?.revocationData != content.revocationData
        else { return nil }
        return "\(place): another revocation list with the number \(new.sequence) is served, and nodes take only "
            + "higher numbers; sign this one again as \(new.sequence &+ 1)"
    }
}
