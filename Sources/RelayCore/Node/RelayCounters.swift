import ReflectorModel

/// The counters of a node. Every reject and every drop is counted by its reason.
public enum RelayCounter: Int, CaseIterable, Sendable {
    case datagramsReceived
    case dataReceived
    case controlReceived
    case dataSent
    case controlSent
    case bytesSent

    case rejectedMalformed
    case rejectedUnknownToken
    case rejectedWrongAddress
    case rejectedBadMAC
    case rejectedReplayed
    case rejectedUnknownIncarnation
    case rejectedBadSeal
    case rejectedBadCookie
    /// Handshake messages that nobody with a private key of this network made.
    case rejectedHandshake
    case rejectedUnexpected
    case rejectedVersion
    case rejectedTooOld
    /// Streams restarted at lower numbers, because an earlier message had put them too far ahead.
    case rewinds
    /// Packets whose number is too far ahead of those of other packets to be genuine.
    case rejectedTooFar

    case duplicates
    case fillerSent
    case fillerReceived
    case naksSent
    case naksReceived
    case nakNumbersAsked
    case nakNumbersServed
    case nakNumbersMissed
    case nakNumbersOverBucket
    /// Not answered because the node's declared capacity is used up.
    case nakNumbersOverCapacity
    /// Already answered, or an answer is in transit.
    case nakNumbersRepeated
    /// Requested, but the original arrived: it was only reordered.
    case naksSpurious
    case repaired
    case lost
    case delivered
    case backlogSent
    /// Packets that another feed of a hot stream brought before the stream's own incarnation did, or instead of it.
    case twinPacketsFilled
    /// Packets of which two feeds of a hot stream brought the same copy.
    case twinPacketsAgreed
    /// Numbers for which the feeds of a hot stream had different payloads, or that a feed cannot have reached.
    case twinMismatches
    /// How often a feed of a hot stream was recognized as another one's twin.
    case twinsMerged
    /// Feeds of hot streams that are not the same bytes as the stream's own.
    case twinsDifferent
    /// An encoder of a hot stream came back, and another incarnation began.
    case incarnationsRenewed

    case linksOpened
    case linksDied
    /// ICMP messages that say that nobody listens on the port of a link's peer.
    case portsUnreachable
    /// The same about datagrams that this node did not send: forged, or about a link that has ended.
    case portsUnreachableUnknown
    /// The same about a peer that has answered after earlier ones.
    case portsUnreachableIgnored
    /// Questions to peers that are silent, or unreachable by such a message.
    case deathQuestionsSent
    /// Peers that answered after their host had refused a datagram.
    case deathsRefuted
    /// Peers given up because their host refused both questions.
    case deathsByRefusal
    /// Links that got new keys.
    case linksRenewed
    /// Closed because the peer's certificate expired or was revoked.
    case linksDistrusted
    case linksRefused
    /// Closed because the same node opened another link.
    case linksReplaced
    /// Closed to make room, because nothing was fetched on them.
    case linksEvicted
    /// Links to parents that this node gave up because it slept for longer than its lease.
    case linksOverslept
    case leasesExpired
    case subscribesSent
    case subscribesReceived
    /// Ended by another subscription of the same child to the same stream.
    case subscriptionsReplaced
    /// Requests such as Subscribe that waited for their turn, because their link had sent many.
    case ordersDeferred
    case subscribesRefusedUnknown
    case subscribesRefusedBusy
    case subscribesRefusedLoop
    /// On a link whose circuit breaker is at `refusesStreams`.
    case subscribesRefusedLossy
    /// The name servers could not tell whether the stream exists.
    case subscribesRefusedUndecided
    /// The child requested new names faster than allowed.
    case subscribesRefusedNames
    case parentChanges
    /// Dropped because their link has had long heavy loss, or because the parent is nearly full.
    case pathsShed
    /// Requests to children to end an extra path, because this node is nearly full.
    case extraPathsCrowded
    case lateWakeups
    case lookUpsAsked
    case lookUpsAnswered
    case lookUpsFailed
    case lookUpsKeptOld
    /// Names evicted because the table was full.
    case lookUpsEvicted
    case announcementsReceived
    /// Streams announced by a node that is not one of their candidates.
    case announcementsRefused
    /// Streams accepted from an entrypoint that no name server could confirm.
    case announcementsUnconfirmed
    /// Lists with pages that never arrived.
    case announcementsIncomplete
    /// Streams for which this witness saw a first leader.
    case elections
    /// Streams that another candidate leads since the one before was lost.
    case takeovers
    /// Streams that lost their leader when no other candidate had them.
    case streamsOrphaned
    /// Streams that a better candidate leads again.
    case failbacks
    /// Times that this witness lost all entrypoints at once, and did not vote.
    case votesWithheld
    case regionReportsSent
    case regionReportsReceived
    /// Reports from nodes that are no members of the region, and reports larger than any honest one.
    case regionReportsRefused
    /// Members of the region that were lost.
    case membersLost
    /// Slots that this member began to lead.
    case slotsTaken
    /// Slots that another member has taken over from this one.
    case slotsHandedOver
    /// Slots that this member asked others to lead, because it could not reach the stream's parents.
    case slotsYielded
    /// Slots that two members led at once; counted at the one that gives way.
    case slotConflicts
    /// Packets from groups of the LAN, and packets sent to them.
    case lanReceived
    case lanSent
    /// Streams that began to come from a group of the LAN, and those that no longer did because the LAN failed.
    case lanFeedsUsed
    case lanFeedsFailed
    /// Feeds whose group or token this node does not take.
    case lanFeedsRefused
    /// Numbers requested by several members that one retransmit to their group answers.
    case lanRepairsShared
    case witnessReportsSent
    case witnessReportsReceived
    /// Reports from nodes that are no witnesses, and reports larger than any honest one.
    case witnessReportsRefused
    /// Streams that this entrypoint began to pull, and stopped pulling.
    case pullsBegun
    case pullsEnded
    /// Subscriptions at another root set reflector, because no entrypoint of the stream can be reached.
    case peersAsked
    /// Portsets claimed by children that the zone contradicts.
    case portsetsCorrected
    /// Children refused for a name, role, region or address that the zone contradicts.
    case identitiesRefused
    /// Parents left because they are not the host that the zone names.
    case parentsMistaken
    /// Handshakes with a certificate that is expired, not yet valid, revoked, or not signed by one of our operators for
    /// this zone.
    case certificatesExpired
    case certificatesEarly
    case certificatesRevoked
    case certificatesUntrusted
    /// Acts that a node's certificate does not allow.
    case powersExceeded
    /// Keys of streams that their parent did not encrypt for this node.
    case streamKeysRejected
    /// Parents that name another key for a stream than the one in use.
    case streamKeysContradicted
    case heartbeatsReceived
    case probesAnswered
    /// Hosts in answers that have no address of a family that this node has.
    case hostsOfOtherFamily
    /// Links opened at an address other than the host's first.
    case otherAddressUsed
    case sizeProbesSent
    case sizeProbesReceived
    /// Payloads cut in two, because a path downstream carries only smaller packets.
    case payloadsCut

    /// Hellos that were not answered, because there were too many.
    case droppedHelloFlood
    /// Opens that had no room to wait, or that were too many of one child.
    case droppedOpensFull
    /// Steps of handshakes that libcrypto could not carry out.
    case cryptoFailures
    case droppedLinkTableFull
    case droppedStreamTableFull
    /// Streams without data that were evicted to make room.
    case streamsEvicted
    case droppedAnnouncementsFull
    case droppedQueueFull
    case droppedOverwritten
    case droppedGapTableFull
    case droppedControlFull
    case droppedLookUpTableFull
    case droppedOversizePayload
    case droppedMeasurementsFull
    /// Control messages of a link that sends more than any node needs.
    case droppedControlFlood
    /// Requests such as Subscribe on a link that already has too many waiting.
    case droppedOrdersFull
    /// Link packets that a child reports as received or missed, but that were never sent to it.
    case reportsDisbelieved

    /// The name in `/status` and, with a prefix, in `/metrics`.
    public var name: String { String(snakeCase: String(describing: self)) }
}

/// One value for each `RelayCounter`.
public struct RelayCounters: Sendable {
    /// Of fixed length, so that counting is a single addition.
    private var values = InlineArray<160, UInt64>(repeating: 0)

    public init() {
        precondition(
            RelayCounter.allCases.count <= values.count, "RelayCounters: more counters than room")
    }

    public subscript(_ counter: RelayCounter) -> UInt64 { values[counter.rawValue] }
    @inline(__always) mutating func add(_ counter: RelayCounter, _ amount: UInt64 = 1) {
        values[counter.rawValue] &+= amount
    }
}
