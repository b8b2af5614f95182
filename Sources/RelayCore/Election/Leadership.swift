import ReflectorModel

/// Who leads a stream, as one of its candidate entrypoints sees it.
public struct Leadership: Sendable, Hashable {
    /// This node leads the stream, or does not know of another node that does.
    public var isLeader: Bool
    /// Host name of the leader relative to the zone; nil if nobody is known to lead.
    public var leader: String?
    /// This node's place among the candidates in the zone, from 1; nil if it is none of them.
    public var rank: Int?

    public init(isLeader: Bool, leader: String?, rank: Int?) {
        self.isLeader = isLeader
        self.leader = leader
        self.rank = rank
    }
}
