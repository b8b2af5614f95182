import ReflectorModel
import RelayWire

/// How often a stream may change to another source or incarnation, and where to continue in an earlier incarnation that
/// a parent sends again.
struct SourceChanges {
    /// An earlier incarnation that a parent sends again, and where to continue in it. Set by `noteReturn`.
    private(set) var returnTo: (tag: IncarnationTag, sequence: UInt64)?
    private var allowance = TokenBucket(rate: 2, depth: 4)

    /// True if the source may change now. Takes a token for it.
    mutating func take(at now: MonotonicInstant) -> Bool { allowance.take(at: now) }

    /// From now on, Subscribe messages ask for that incarnation from that place on; nil ends this.
    mutating func noteReturn(to place: (tag: IncarnationTag, sequence: UInt64)?) { returnTo = place }
}
