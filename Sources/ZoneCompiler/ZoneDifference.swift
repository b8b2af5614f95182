/// The records that only one of two generations of a zone has. The two ordered sequences of records are compared step
/// by step, with only one record of each in memory. Classes that both generations have are skipped without generating
/// their names.
public struct ZoneDifference: IteratorProtocol {
    /// Which records to return.
    public enum Side: Sendable {
        /// Records of the old generation that the new one does not have.
        case removed
        /// Records of the new generation that the old one does not have.
        case added
        case both
    }

    private let old: AliasedZone
    private let new: AliasedZone
    private let side: Side
    private var oldCursor: ZoneRecordCursor
    private var newCursor: ZoneRecordCursor
    private var oldRecord: ZoneRecord?
    private var newRecord: ZoneRecord?
    private var hasStarted = false

    public init(from old: AliasedZone, to new: AliasedZone, _ side: Side) {
        self.old = old
        self.new = new
        self.side = side
        oldCursor = old.records
        newCursor = new.records
    }

    /// Counts the records that differ, up to `limit`.
    public static func count(from old: AliasedZone, to new: AliasedZone, limit: Int) -> Int {
        var difference = ZoneDifference(from: old, to: new, .both)
        var count = 0
        while count < limit, difference.next() != nil { count += 1 }
        return count
    }

    public mutating func next() -> ZoneRecord? {
        if !hasStarted {
            hasStarted = true
            advance(old: true, new: true)
        }
        while true {
            switch (oldRecord, newRecord) {
            case (nil, nil): return nil
            case (let gone?, nil):
                advance(old: true, new: false)
                if side != .added { return gone }
            case (nil, let come?):
                advance(old: false, new: true)
                if side != .removed { return come }
            case (let before?, let after?):
                if before == after {
                    advance(old: true, new: true)
                } else if before < after {
                    advance(old: true, new: false)
                    if side != .added { return before }
                } else {
                    advance(old: false, new: true)
                    if side != .removed { return after }
                }
            }
        }
    }

    private mutating func advance(old isOld: Bool, new isNew: Bool) {
        if isOld && isNew { skipEqualClasses() }
        if isOld { oldRecord = oldCursor.next() }
        if isNew { newRecord = newCursor.next() }
    }

    /// While both cursors are at the start of equal classes, skips these classes, since they contain no difference.
    private mutating func skipEqualClasses() {
        while oldCursor.sectionAhead == newCursor.sectionAhead, let before = oldCursor.classAhead,
            let after = newCursor.classAhead, isEqual(before, after)
        {
            oldCursor.skipClass()
            newCursor.skipClass()
        }
    }

    private func isEqual(_ before: Int, _ after: Int) -> Bool {
        let (first, second) = (old.classes.classes[before], new.classes.classes[after])
        guard first.hash == second.hash, first.cells.count == second.cells.count, old.ttl == new.ttl else {
            return false
        }
        let unions = (first.union.map { old.classes.unions[$0].hash }, second.union.map { new.classes.unions[$0].hash })
        return unions.0 == unions.1
            && zip(first.cells, second.cells).allSatisfy {
                $0.regions == $1.regions && old.classes.answers[$0.answer] == new.classes.answers[$1.answer]
            }
    }
}
