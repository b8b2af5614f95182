import ReflectorModel

/// Why a stream that viewers want is unavailable.
public enum UnavailableReason: Sendable, Equatable, CustomStringConvertible {
    /// The zone has no such stream.
    case noSuchStream
    /// No name server tells whether the stream exists, or who carries it.
    case nameServersFail(LookUpFailure)
    /// The same problem, but at a parent.
    case parentUndecided
    /// The zone has the stream, but does not say its portset.
    case noPortset
    /// The zone names no parents for the region and portset.
    case noParents
    /// The stream's parents have no address of a family that this node has.
    case noCommonFamily
    /// `map … none`: the zone says that there are no parents.
    case parentsTakenAway
    /// No parent has a source of the stream: no encoder provides it.
    case noSource
    /// Every parent is full or stopping.
    case parentsFull
    /// Parents do not provide it and do not say why.
    case refused
    /// Too many names are in use at this node.
    case tableFull

    /// The network says that the stream does not exist; otherwise it may exist, but this node cannot get it now.
    public var isAbsence: Bool {
        switch self {
        case .noSuchStream, .noSource: true
        case .nameServersFail, .parentUndecided, .noPortset, .noParents, .noCommonFamily,
            .parentsTakenAway,
            .parentsFull, .refused, .tableFull:
            false
        }
    }

    /// Another node would find the same: asking somewhere else does not help.
    var isElsewhere: Bool {
        switch self {
        case .noSuchStream, .noSource, .parentUndecided, .noPortset, .noParents, .parentsTakenAway, .parentsFull,
            .tableFull:
            true
        case .nameServersFail, .noCommonFamily, .refused: false
        }
    }

    /// The end of the answer to a viewer, after "does not exist: " or "is not available now: ".
    public var description: String {
        switch self {
        case .noSuchStream: "no such stream in the zone"
        case .nameServersFail(let failure): "the name servers give no answer (DNS): \(failure)"
        case .parentUndecided: "the parents' name servers give them no answer (DNS)"
        case .noPortset: "the zone's answer does not say its portset (TXT of the stream's name)"
        case .noParents: "no parent is known: no map line covers this region and the stream's portset"
        case .noCommonFamily: "its parents have no address of a family (IPv4, IPv6) that this node has"
        case .parentsTakenAway: "the zone takes its parents away"
        case .noSource: "no parent carries it: no encoder provides it"
        case .parentsFull: "every parent is at its capacity"
        case .refused: "no parent provides it"
        case .tableFull: "too many streams are requested at this node"
        }
    }
}
