import ReflectorModel

extension ControlCodec {
    /// Reads the message in a whole control datagram whose MAC has been verified.
    ///
    /// Throws what `ControlHeader` throws, `unknownKind`, and, depending on the body: `tooShort`, `trailingBytes`,
    /// `unknownValue`, `badName`, `tooMany`, `outOfRange`.
    public static func decodeBody(_ datagram: UnsafeRawBufferPointer) throws(WireError) -> RelayMessage {
        _ = try ControlHeader(parsing: datagram)
        guard let kind = Kind(rawValue: datagram[WireLimits.controlHeaderLength - 1]) else { throw .unknownKind }
        let unsigned = UnsafeRawBufferPointer(rebasing: datagram[..<(datagram.count - WireLimits.macLength)])
        var reader = WireReader(unsigned, from: WireLimits.controlHeaderLength)
        let message = try decode(kind, &reader)
        try reader.finish()
        return message
    }

    private static func decode(_ kind: Kind, _ reader: inout WireReader) throws(WireError) -> RelayMessage {
        switch kind {
        case .subscribe: return .subscribe(try decodeSubscribe(&reader))
        case .subscribeReply: return .subscribeReply(try decodeSubscribeReply(&reader))
        case .unsubscribe: return .unsubscribe(subscription: try reader.read())
        case .subscriptionEnd:
            let subscription = try reader.read(UInt32.self)
            let reason = try reader.read(enumeration: SubscriptionEndReason.self)
            return .subscriptionEnd(subscription: subscription, reason: reason)
        case .renew: return .renew(try decodeRenew(&reader))
        case .linkHeartbeat: return .linkHeartbeat(try decodeLinkHeartbeat(&reader))
        case .nak: return .nak(try decodeNak(&reader))
        case .announce: return .announce(try Announce(&reader))
        case .heartbeat:
            let version = try reader.read(UInt64.self)
            let digest = try reader.read(UInt64.self)
            let timestamp = try reader.read(UInt64.self)
            return .heartbeat(
                Heartbeat(version: version, digest: digest, timestamp: timestamp, reportHeld: try reader.read()))
        case .announcePull: return .announcePull(versionHeld: try reader.read())
        case .heartbeatReply:
            let echoed = try reader.read(UInt64.self)
            return .heartbeatReply(HeartbeatReply(echoedTimestamp: echoed, isVoting: try reader.readFlag()))
        case .close: return .close(try reader.read(enumeration: CloseReason.self))
        case .sizeProbe:
            let length = try reader.read(UInt16.self)
            guard Int(length) >= lengthMin + 2, Int(length) <= WireLimits.controlLengthMax else { throw .unknownValue }
            try reader.readZeros(count: Int(length) - lengthMin - 2)
            return .sizeProbe(length: length)
        case .sizeReport: return .sizeReport(length: try reader.read())
        case .payloadLimit:
            let subscription = try reader.read(UInt32.self)
            let bytes = try reader.read(UInt16.self)
            guard bytes > 0, Int(bytes) <= WireLimits.payloadMax else { throw .unknownValue }
            return .payloadLimit(subscription: subscription, bytes: bytes)
        case .probe: return .probe(number: try reader.read())
        case .probeReport: return .probeReport(try ProbeReport(&reader))
        case .witnessReport: return .witnessReport(try WitnessReport(&reader))
        case .regionReport: return .regionReport(try RegionReport(&reader))
        case .lanFeed: return .lanFeed(try LanFeed(&reader))
        }
    }

    private static func decodeSubscribe(_ reader: inout WireReader) throws(WireError) -> Subscribe {
        let subscription = try reader.read(UInt32.self)
        let portset = PortsetID(try reader.read())
        let start: Subscribe.Start
        let kind = try reader.read(UInt8.self)
        switch kind & ~(Subscribe.extraFlag | Subscribe.onRequestFlag) {
        case 0:
            start = .live
            try reader.readZeros(count: 16)
        case 1:
            start = .preburst
            try reader.readZeros(count: 16)
        case 2:
            let tag = IncarnationTag(try reader.read())
            start = .resume(tag, try reader.readSequence())
        default:
            throw .unknownValue
        }
        let rate = try reader.read(UInt8.self)
        let silent = try reader.read(UInt16.self)
        if case .resume = start {} else if silent != 0 { throw .unknownValue }
        let pathLength = try reader.read(UInt8.self)
        guard pathLength <= Subscribe.pathLengthMax else { throw .tooMany }
        var path: [NodeID] = []
        path.reserveCapacity(Int(pathLength))
        for _ in 0..<pathLength { path.append(NodeID(try reader.read())) }
        return Subscribe(
            subscription: subscription, stream: try reader.readStreamName(), portset: portset, start: start,
            rateSixteenths: rate, silentMilliseconds: silent, path: path, isExtra: kind & Subscribe.extraFlag != 0,
            isOnRequest: kind & Subscribe.onRequestFlag != 0)
    }

    private static func decodeSubscribeReply(_ reader: inout WireReader) throws(WireError) -> SubscribeReply {
        let subscription = try reader.read(UInt32.self)
        let status = try reader.read(enumeration: SubscribeStatus.self)
        let source = NodeID(try reader.read())
        let incarnation = try reader.readIncarnation()
        let oldest = try reader.readSequence()
        let highest = try reader.readSequence()
        let retryAfter = try reader.read(UInt16.self)
        return SubscribeReply(
            subscription: subscription, status: status, source: source, incarnation: incarnation, oldest: oldest,
            highest: highest, retryAfterMilliseconds: retryAfter,
            key: status == .ok ? try reader.readWrappedKey() : nil)
    }

    private static func decodeRenew(_ reader: inout WireReader) throws(WireError) -> Renew {
        let leaseNonce = try reader.read(UInt64.self)
        let subscriptions = try reader.read(UInt16.self)
        let digest = try reader.read(UInt64.self)
        let timestamp = try reader.read(UInt64.self)
        let echoed = try reader.read(UInt64.self)
        let delay = try reader.read(UInt32.self)
        let received = try reader.read(UInt32.self)
        return Renew(
            leaseNonce: leaseNonce, subscriptions: subscriptions, digest: digest, timestamp: timestamp,
            echoedTimestamp: echoed, echoDelayMicroseconds: delay, received: received, lost: try reader.read())
    }

    private static func decodeLinkHeartbeat(_ reader: inout WireReader) throws(WireError) -> LinkHeartbeat {
        let nextLinkNumber = try reader.read(UInt32.self)
        let leaseNonce = try reader.read(UInt64.self)
        let timestamp = try reader.read(UInt64.self)
        let echoed = try reader.read(UInt64.self)
        let delay = try reader.read(UInt32.self)
        let digestMismatch = try reader.readFlag()
        let count = try reader.read(UInt8.self)
        guard count <= LinkHeartbeat.entriesMax else { throw .tooMany }
        var entries: [LinkHeartbeat.Entry] = []
        entries.reserveCapacity(Int(count))
        for _ in 0..<count {
            let subscription = try reader.read(UInt32.self)
            let highest = try reader.readSequence()
            entries.append(
                LinkHeartbeat.Entry(
                    subscription: subscription, highest: highest, upstreamSilentMilliseconds: try reader.read()))
        }
        return LinkHeartbeat(
            nextLinkNumber: nextLinkNumber, leaseNonce: leaseNonce, timestamp: timestamp, echoedTimestamp: echoed,
            echoDelayMicroseconds: delay, digestMismatch: digestMismatch, entries: entries)
    }

    private static func decodeNak(_ reader: inout WireReader) throws(WireError) -> Nak {
        let subscription = try reader.read(UInt32.self)
        let tryNumber = try reader.read(UInt8.self)
        let count = try reader.read(UInt8.self)
        guard count > 0 else { throw .unknownValue }
        guard count <= Nak.numbersMax else { throw .tooMany }
        var numbers = 0
        var runs: [Nak.Run] = []
        runs.reserveCapacity(Int(count))
        for _ in 0..<count {
            let first = try reader.readSequence()
            let run = Nak.Run(first: first, count: try reader.read())
            guard run.isWellFormed else { throw .unknownValue }
            numbers += Int(run.count)
            guard numbers <= Nak.numbersMax else { throw .tooMany }
            runs.append(run)
        }
        return Nak(
            subscription: subscription, tryNumber: tryNumber & Nak.triesMax, isLast: tryNumber > Nak.triesMax,
            runs: runs)
    }
}

extension WireReader {
    mutating func readStreamName() throws(WireError) -> StreamName {
        guard let name = StreamName(try readName()) else { throw .badName }
        return name
    }

    mutating func readIncarnation() throws(WireError) -> Incarnation {
        let high = try read(UInt64.self)
        return Incarnation(high: high, low: try read())
    }
}
