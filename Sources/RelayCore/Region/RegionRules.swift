import ReflectorModel

/// Another member of an edge's region, by its name in the zone and its address on the LAN.
public struct RegionNeighbour: Sendable, Hashable {
    public var name: String
    public var endpoint: Endpoint

    public init(name: String, endpoint: Endpoint) {
        self.name = name
        self.endpoint = endpoint
    }

    public var id: NodeID { NodeID(name: name) }
}

/// The parameters of a region of several members. The same on all of them.
public struct RegionRules: Sendable, Hashable {
    /// How often a member reports to each other one while nothing changes.
    public var reportInterval: TimeSpan = .milliseconds(250)
    /// A member whose reports are missing for this many intervals is dead.
    public var reportsMissed: Int64 = 3
    /// How long a member waits after it has come (back) before it takes slots from or besides others.
    public var settleAfter: TimeSpan = .seconds(30)
    /// Minimum time between two reports to one member.
    public var reportSpacing: TimeSpan = .milliseconds(5)
    /// After this time, a report that has not arrived is repeated.
    public var repeatAfter: TimeSpan = .milliseconds(100)
    /// How long a leader that has lost the stream's parents tries others before it asks another member to lead.
    public var lossPatience: TimeSpan = .milliseconds(100)
    /// The same for a leader that never reached one.
    public var startPatience: TimeSpan = .milliseconds(1_500)
    /// How long such a leader does not lead the stream again.
    public var cutSpan: TimeSpan = .seconds(10)
    /// How long a leader that has too many slots offers one of them.
    public var offerSpan: TimeSpan = .seconds(2)
    /// How often the numbers held are brought up to date.
    public var numbersInterval: TimeSpan = .seconds(10)

    /// False only in tests that must notice it: of two leaders of one slot, both keep it.
    public var resolvesConflicts = true
    /// The same: each request for a packet is answered by a retransmit to the whole group.
    public var sharesRepairs = true
    /// The same: packets count although their seal is wrong.
    public var verifies = true

    /// After this time without a report, a member is dead.
    var silenceMax: TimeSpan { reportInterval * reportsMissed }

    /// Maximum number of other members in a region.
    public static let membersMax = 31

    public init() {}
}
