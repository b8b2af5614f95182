/// What a node counts. Every reject and every drop has its reason.
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
    case rejectedHandshakeMAC
    case rejectedUnexpected
    case rejectedVersion
    case rejectedTooOld
    /// A stream begun again at lower numbers, as a parent had led it too far ahead.
    case rewinds
    /// So far ahead of what other packets bring that it cannot be true.
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
    /// Not answered because the node sends at its declared capacity.
    case nakNumbersOverCapacity
    /// Answered already, or an answer is on its way.
    case nakNumbersRepeated
    /// Asked for, and then it came of itself: it was only out of order.
    case naksSpurious
    case repaired
    case lost
    case delivered
    case backlogSent

    case linksOpened
    case linksDied
    case linksRefused
    /// Closed because the same node opened another one.
    case linksReplaced
    /// Closed to make room, because nothing was fetched on them.
    case linksEvicted
    case leasesExpired
    case subscribesSent
    case subscribesReceived
    /// Ended by another one of the same child for the same stream.
    case subscriptionsReplaced
    /// Subscribes and the like that waited for their turn, as their link had sent many.
    case ordersDeferred
    case subscribesRefusedUnknown
    case subscribesRefusedBusy
    case subscribesRefusedLoop
    /// On a link whose circuit breaker is open.
    case subscribesRefusedLossy
    /// Whether there is such a stream could not be found out.
    case subscribesRefusedUndecided
    /// A child brought up more new names than it may.
    case subscribesRefusedNames
    case parentChanges
    /// Given up because their link has long lost too much, or because the parent is nearly full.
    case pathsShed
    /// A child was asked to end an extra path, because this node is nearly full.
    case extraPathsCrowded
    case lateWakeups
    case lookUpsAsked
    case lookUpsAnswered
    case lookUpsFailed
    case lookUpsKeptOld
    /// Names that went for others because the table was full.
    case lookUpsEvicted
    case announcementsReceived
    /// Streams announced by a node that is none of their candidates.
    case announcementsRefused
    /// Streams taken from an entrypoint that no name server could confirm.
    case announcementsUnconfirmed
    /// Lists of which pages stayed away.
    case announcementsIncomplete
    /// Portsets that children claimed and the zone contradicts.
    case portsetsCorrected
    /// Children refused for a name, role, region or address that the zone contradicts.
    case identitiesRefused
    /// Parents left because they are not the host that the zone names.
    case parentsMistaken
    case heartbeatsReceived
    case probesAnswered
    /// Hosts of answers that have no address of a family that this node has.
    case hostsOfOtherFamily
    /// Links opened at another address than the host's first.
    case otherAddressUsed
    case sizeProbesSent
    case sizeProbesReceived
    /// Payloads that were cut in two, because a path further on carries smaller packets only.
    case payloadsCut

    case droppedLinkTableFull
    case droppedStreamTableFull
    /// Streams that carried nothing and went for others.
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
    /// Subscribes and the like of a link that has too many waiting already.
    case droppedOrdersFull
    /// Link packets that a child says it received or missed, and that were never sent to it.
    case reportsDisbelieved

    /// Name in `/status` and, with a prefix, in `/metrics`.
    public var name: String {
        var text = ""
        var followsCapital = false
        for character in String(describing: self) {
            // An abbreviation is one word: rejectedBadMAC is rejected_bad_mac.
            if character.isUppercase, !followsCapital { text += "_" }
            followsCapital = character.isUppercase
            text += character.lowercased()
        }
        return text
    }
}

/// One number for each `RelayCounter`.
public struct RelayCounters: Sendable {
    /// Of fixed length, so that a count is an addition and nothing else.
    private var values = InlineArray<128, UInt64>(repeating: 0)

    public init() {
        precondition(
            RelayCounter.allCases.count <= values.count, "RelayCounters: more counters than room")
    }

    public subscript(_ counter: RelayCounter) -> UInt64 { values[counter.rawValue] }
    @inline(__always) mutating func add(_ counter: RelayCounter, _ amount: UInt64 = 1) {
        values[counter.rawValue] &+= amount
    }
}
