import ReflectorModel

/// Why a stream that viewers want cannot be had now.
public enum UnavailableReason: Sendable, Equatable, CustomStringConvertible {
    /// The zone has no such stream.
    case noSuchStream
    /// No name server says whether there is such a stream, or who carries it.
    case nameServersFail(LookUpFailure)
    /// The same, at a parent.
    case parentUndecided
    /// The zone has the stream, but does not say its portset.
    case noPortset
    /// The zone names no parents for the region and portset.
    case noParents
    /// Its parents have addresses of the other family only.
    case noCommonFamily
    /// `map … none`: the zone says that there shall be none.
    case parentsTakenAway
    /// Every parent says that it has no source of the stream: no encoder provides it.
    case noSource
    /// Every parent is full or stopping.
    case parentsFull
    /// Parents neither give it nor say why not.
    case refused
    /// Too many names are in use at this node.
    case tableFull

    /// The network says that it does not have the stream; otherwise it may have it, and this node cannot get it now.
    public var isAbsence: Bool {
        switch self {
        case .noSuchStream, .noSource: true
        case .nameServersFail, .parentUndecided, .noPortset, .noParents, .noCommonFamily,
            .parentsTakenAway,
            .parentsFull, .refused, .tableFull:
            false
        }
    }

    /// As it stands behind "the stream cannot be had: ".
    public var description: String {
        switch self {
        case .noSuchStream: "no such stream in the zone"
        case .nameServersFail(let failure): "the name servers give no answer (DNS): \(failure)"
        case .parentUndecided: "the parents' name servers give them no answer (DNS)"
        case .noPortset: "the zone's answer does not say its portset (TXT of the stream's name)"
        case .noParents: "no parent is known: no map line is about this region and the stream's portset"
        case .noCommonFamily: "its parents have no address of a family (IPv4, IPv6) that this node has"
        case .parentsTakenAway: "the zone takes its parents away"
        case .noSource: "no parent carries it: no encoder provides it"
        case .parentsFull: "every parent is at its capacity"
        case .refused: "no parent gives it"
        case .tableFull: "too many streams are asked for at this node"
        }
    }
}
