@testable import NodeIdentity
import ReflectorModel
import RelayWire

/// Messages with random values in every field, for round trips.
extension SeededGenerator {
    mutating func handshake() -> HandshakeMessage {
        switch Int.random(in: 0..<5, using: &self) {
        case 0: return .hello(HelloMessage(nonce: fixed()))
        case 1: return .cookie(CookieMessage(nonce: fixed(), cookie: cookie(), epochKey: fixed()))
        case 2: return .open(OpenMessage(nonce: fixed(), cookie: cookie(), childKey: fixed(), sealed: sealed()))
        case 3: return .opened(OpenedMessage(nonce: fixed(), parentKey: fixed(), sealed: sealed()))
        default:
            return .refused(
                RefusedMessage(
                    nonce: fixed(), reason: HandshakeRefusal.allCases.randomElement(using: &self) ?? .role,
                    mac: fixed()))
        }
    }

    mutating func request() -> LinkRequest { LinkRequest(childToken: word() | 1, renewedToken: word()) }

    mutating func grant() -> LinkGrant {
        let shards = UInt16.random(in: 1...UInt16.max, using: &self)
        return LinkGrant(
            parentToken: word() | 1, leaseMilliseconds: UInt32(truncatingIfNeeded: word()), shardCount: shards,
            shard: .random(in: 0..<shards, using: &self))
    }

    private mutating func probeReport() -> ProbeReport {
        var report = ProbeReport(number: word())
        report.uptimeMilliseconds = word()
        report.children = UInt32(truncatingIfNeeded: word())
        report.streams = UInt32(truncatingIfNeeded: word())
        report.capacity = word()
        report.bytesSent = word()
        report.received = word()
        report.lost = word()
        let leads = (0..<Int.random(in: 0...20, using: &self)).map { _ in
            ProbeReport.Lead(stream: streamName(), source: leader())
        }
        report.leads = Array(leads.prefix(ProbeReport.leadsInOneReport(leads[...])))
        return report
    }

    private mutating func leader() -> NodeID? { Bool.random(using: &self) ? NodeID(word() | 1) : nil }

    private mutating func witnessReport() -> WitnessReport {
        let entries = (0..<Int.random(in: 0...40, using: &self)).map { _ in
            WitnessReport.Entry(stream: streamName(), leader: leader(), hasSubscribers: Bool.random(using: &self))
        }
        let base = Bool.random(using: &self) ? 0 : word() >> 1
        let withdrawn = base > 0 ? [WitnessReport.Entry.withdrawn(streamName())] : []
        return WitnessReport(
            header(base: base), entries: WitnessReport.pages(version: 1, of: withdrawn + entries)[0].entries)
    }

    private mutating func regionReport() -> RegionReport {
        var report = RegionReport(
            isLeaving: Bool.random(using: &self), isSettled: Bool.random(using: &self),
            isOnLAN: Bool.random(using: &self), versionHeld: word())
        guard Bool.random(using: &self) else { return report }
        let base = Bool.random(using: &self) ? 0 : word() >> 1
        let entries = (0..<Int.random(in: 0...40, using: &self)).map { _ in
            let held = Bool.random(using: &self) ? IncarnationTag(word() | 1) : nil
            return RegionReport.Entry(
                stream: streamName(), isWanted: Bool.random(using: &self), slots: UInt8.random(in: 0...7, using: &self),
                isYielding: Bool.random(using: &self), held: held,
                highest: SequenceNumber(held == nil ? 0 : word() >> 2))
        }
        let withdrawn = base > 0 ? [RegionReport.Entry.withdrawn(streamName())] : []
        report.page = RegionReport.Page(
            header(base: base), entries: RegionReport.pages(version: 1, of: withdrawn + entries)[0].entries)
        return report
    }

    private mutating func lanFeed(of subscription: UInt32) -> LanFeed {
        guard Bool.random(using: &self) else { return LanFeed(subscription: subscription, place: nil) }
        let address =
            Bool.random(using: &self)
            ? IPAddress(v4: 0xe000_0000 | UInt32.random(in: 0..<1 << 28, using: &self))
            : IPAddress(high: 0xff << 56 | word() >> 8, low: word())
        let group = Endpoint(address: address, port: UInt16.random(in: 1...UInt16.max, using: &self))
        return LanFeed(subscription: subscription, place: LanFeed.Place(token: word() | 1, group: group))
    }

    mutating func control() -> RelayMessage {
        let subscription = UInt32(truncatingIfNeeded: word())
        switch Int.random(in: 0..<20, using: &self) {
        case 0: return .subscribe(subscribe())
        case 1:
            let status = SubscribeStatus.allCases.randomElement(using: &self) ?? .ok
            return .subscribeReply(
                SubscribeReply(
                    subscription: subscription, status: status, source: NodeID(word()),
                    incarnation: Incarnation(high: word(), low: word()), oldest: SequenceNumber(word() >> 2),
                    highest: SequenceNumber(word() >> 2), retryAfterMilliseconds: UInt16(truncatingIfNeeded: word()),
                    key: status == .ok ? wrappedKey() : nil))
        case 2: return .unsubscribe(subscription: subscription)
        case 3:
            return .subscriptionEnd(
                subscription: subscription,
                reason: SubscriptionEndReason.allCases.randomElement(using: &self) ?? .shed)
        case 4:
            return .renew(
                Renew(
                    leaseNonce: word(), subscriptions: UInt16(truncatingIfNeeded: word()), digest: word(),
                    timestamp: word(), echoedTimestamp: word(),
                    echoDelayMicroseconds: UInt32(truncatingIfNeeded: word()),
                    received: UInt32(truncatingIfNeeded: word()), lost: UInt32(truncatingIfNeeded: word())))
        case 5: return .linkHeartbeat(linkHeartbeat())
        case 6: return .nak(nak())
        case 7: return .announce(announce())
        case 8: return .heartbeat(Heartbeat(version: word(), digest: word(), timestamp: word(), reportHeld: word()))
        case 9: return .announcePull(versionHeld: word())
        case 10: return .heartbeatReply(HeartbeatReply(echoedTimestamp: word(), isVoting: Bool.random(using: &self)))
        case 11: return .sizeProbe(length: UInt16.random(in: 37...1_400, using: &self))
        case 12: return .sizeReport(length: UInt16(truncatingIfNeeded: word()))
        case 13: return .payloadLimit(subscription: subscription, bytes: UInt16.random(in: 1...1_400, using: &self))
        case 14: return .probe(number: word())
        case 15: return .probeReport(probeReport())
        case 16: return .witnessReport(witnessReport())
        case 17: return .regionReport(regionReport())
        case 18: return .lanFeed(lanFeed(of: subscription))
        default: return .close(CloseReason.allCases.randomElement(using: &self) ?? .leaving)
        }
    }

    mutating func dataHeader() -> DataHeader {
        DataHeader(
            retransmitted: Bool.random(using: &self), token: word(),
            linkNumber: UInt32(truncatingIfNeeded: word()), tag: IncarnationTag(word()),
            sequence: SequenceNumber(max(1, word() >> 2)),
            kind: PacketKind.allCases.randomElement(using: &self) ?? .data)
    }

    mutating func streamName() -> StreamName {
        let letters = Array("abcxyz0189-")
        let segments = (0..<Int.random(in: 1...4, using: &self)).map { _ in
            String((0..<Int.random(in: 1...39, using: &self)).map { _ in letters.randomElement(using: &self)! })
        }
        return StreamName(segments.joined(separator: "/"))!
    }

    private mutating func word() -> UInt64 { next() }

    private mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: word()) } }
    private mutating func fixed<Kind>() -> FixedBytes<Kind> { FixedBytes(bytes(Kind.length))! }

    private mutating func sealed() -> [UInt8] { bytes(.random(in: 0...HandshakeSizes.sealedMax, using: &self)) }

    private mutating func cookie() -> RoutabilityCookie { RoutabilityCookie(milliseconds: word(), mac: fixed()) }

    private mutating func wrappedKey() -> WrappedKey {
        var key = WrappedKey(nonce: word())
        let random = bytes(WrappedKey.length)
        key.withMutableBytes { $0.copyBytes(from: random) }
        return key
    }

    private mutating func subscribe() -> Subscribe {
        let starts: [Subscribe.Start] = [
            .live, .preburst, .resume(IncarnationTag(word()), SequenceNumber(word() >> 2)),
        ]
        let start = starts.randomElement(using: &self) ?? .live
        let silent = if case .resume = start { UInt16(truncatingIfNeeded: word()) } else { UInt16(0) }
        let path = (0..<Int.random(in: 0...Subscribe.pathLengthMax, using: &self)).map { _ in NodeID(word()) }
        return Subscribe(
            subscription: UInt32(truncatingIfNeeded: word()), stream: streamName(),
            portset: PortsetID(UInt16(truncatingIfNeeded: word())), start: start,
            rateSixteenths: UInt8(truncatingIfNeeded: word()), silentMilliseconds: silent, path: path,
            isExtra: Bool.random(using: &self), isOnRequest: Bool.random(using: &self))
    }

    private mutating func linkHeartbeat() -> LinkHeartbeat {
        let entries = (0..<Int.random(in: 0...LinkHeartbeat.entriesMax, using: &self)).map { _ in
            LinkHeartbeat.Entry(
                subscription: UInt32(truncatingIfNeeded: word()), highest: SequenceNumber(word() >> 2),
                upstreamSilentMilliseconds: UInt16(truncatingIfNeeded: word()))
        }
        return LinkHeartbeat(
            nextLinkNumber: UInt32(truncatingIfNeeded: word()), leaseNonce: word(), timestamp: word(),
            echoedTimestamp: word(), echoDelayMicroseconds: UInt32(truncatingIfNeeded: word()),
            digestMismatch: Bool.random(using: &self), entries: entries)
    }

    private mutating func nak() -> Nak {
        var left = Int.random(in: 1...Nak.numbersMax, using: &self)
        var runs: [Nak.Run] = []
        while left > 0 {
            let count = Int.random(in: 1...left, using: &self)
            runs.append(.init(first: SequenceNumber(max(1, word() >> 3)), count: UInt8(count)))
            left -= count
        }
        return Nak(
            subscription: UInt32(truncatingIfNeeded: word()),
            tryNumber: UInt8(truncatingIfNeeded: word()) & Nak.triesMax,
            isLast: Bool.random(using: &self), runs: runs)
    }

    private mutating func announce() -> Announce {
        let base = Bool.random(using: &self) ? 0 : word() >> 1
        let entries = (0..<Int.random(in: 0...64, using: &self)).map { _ in
            let supply = StreamSupply.allCases.randomElement(using: &self) ?? .live
            guard supply != .withdrawn else {
                let stream = streamName()
                return base > 0
                    ? .withdrawn(stream)
                    : Announce.Entry(stream: stream, portset: PortsetID(1), incarnation: .none, supply: .able)
            }
            return Announce.Entry(
                stream: streamName(), portset: PortsetID(UInt16(truncatingIfNeeded: word())),
                incarnation: supply == .able ? .none : Incarnation(high: word() | 1, low: word()), supply: supply)
        }
        return Announce(header(base: base), entries: Announce.pages(version: 1, of: entries)[0].entries)
    }

    private mutating func header(base: UInt64) -> PageHeader {
        let pages = UInt16.random(in: 1...UInt16.max, using: &self)
        return PageHeader(
            version: base + 1 + word() >> 1, base: base, page: .random(in: 0..<pages, using: &self), pages: pages)
    }
}
