import ReflectorModel
import RelayWire

/// How often a stream may go over to another source, or to another incarnation of it, and where to go on in an earlier
/// incarnation that a parent brings again.
struct SourceChanges {
    /// An earlier incarnation that a parent brings again, and where to go on in it. Set by `noteReturn`.
    private(set) var returnTo: (tag: IncarnationTag, sequence: UInt64)?
    private var allowance = TokenBucket(rate: 2, depth: 4)

    /// True if the source may change now, which is noted.
    mutating func take(at now: MonotonicInstant) -> Bool { allowance.take(at: now) }

    /// Parents are asked for the incarnation from there on; from where they like if it is nil.
    mutating func noteReturn(to place: (tag: IncarnationTag, sequence: UInt64)?) { returnTo = place }
}
