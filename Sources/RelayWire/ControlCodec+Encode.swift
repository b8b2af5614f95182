import ReflectorModel

extension ControlCodec {
    /// Writes a message and returns its length, including the last 16 bytes, which `finish` fills with the MAC.
    /// `WireLimits.controlLengthMax` bytes are always enough. The caller must not pass more entries than a message may
    /// have, or a page that does not fit (`Announce.pages`, `WitnessReport.pages`, `RegionReport.pages`).
    public static func encode(
        _ message: RelayMessage, token: UInt64, counter: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) -> Int {
        var writer = WireWriter(buffer)
        writer.write(DatagramType.control.byte)
        writer.write(UInt8(0))
        writer.write(token)
        writer.write(counter)
        writer.write(message.kind.rawValue)
        switch message {
        case .subscribe(let subscribe): encode(subscribe, &writer)
        case .subscribeReply(let reply): encode(reply, &writer)
        case .unsubscribe(let subscription): writer.write(subscription)
        case .subscriptionEnd(let subscription, let reason):
            writer.write(subscription)
            writer.write(reason.rawValue)
        case .renew(let renew): encode(renew, &writer)
        case .linkHeartbeat(let heartbeat): encode(heartbeat, &writer)
        case .nak(let nak): encode(nak, &writer)
        case .announce(let announce): announce.write(&writer)
        case .heartbeat(let heartbeat):
            writer.write(heartbeat.version)
            writer.write(heartbeat.digest)
            writer.write(heartbeat.timestamp)
            writer.write(heartbeat.reportHeld)
        case .announcePull(let versionHeld): writer.write(versionHeld)
        case .heartbeatReply(let reply):
            writer.write(reply.echoedTimestamp)
            writer.write(UInt8(reply.isVoting ? 1 : 0))
        case .close(let reason): writer.write(reason.rawValue)
        case .sizeProbe(let length):
            writer.write(length)
            let padding = Int(length) - lengthMin - 2
            precondition((0...WireLimits.controlLengthMax).contains(padding), "ControlCodec: a probe of no length")
            writer.writeZeros(count: padding)
        case .sizeReport(let length): writer.write(length)
        case .payloadLimit(let subscription, let bytes):
            writer.write(subscription)
            writer.write(bytes)
        case .probe(let number): writer.write(number)
        case .probeReport(let report): report.write(&writer)
        case .witnessReport(let report): report.write(&writer)
        case .regionReport(let report): report.write(&writer)
        case .lanFeed(let feed): feed.write(&writer)
        }
        return writer.finishBeforeMAC(lengthMax: WireLimits.controlLengthMax)
    }

    private static func encode(_ subscribe: Subscribe, _ writer: inout WireWriter) {
        writer.write(subscribe.subscription)
        writer.write(subscribe.portset.rawValue)
        let flags =
            (subscribe.isExtra ? Subscribe.extraFlag : 0) | (subscribe.isOnRequest ? Subscribe.onRequestFlag : 0)
        switch subscribe.start {
        case .live:
            writer.write(flags | 0)
            writer.writeZeros(count: 16)
        case .preburst:
            writer.write(flags | 1)
            writer.writeZeros(count: 16)
        case .resume(let tag, let sequence):
            writer.write(flags | 2)
            writer.write(tag.rawValue)
            writer.writeSequence(sequence)
        }
        writer.write(subscribe.rateSixteenths)
        writer.write(subscribe.silentMilliseconds)
        writer.writeCount(subscribe.path.count, max: Subscribe.pathLengthMax)
        for node in subscribe.path { writer.write(node.rawValue) }
        writer.writeName(subscribe.stream.text)
    }

    private static func encode(_ reply: SubscribeReply, _ writer: inout WireWriter) {
        writer.write(reply.subscription)
        writer.write(reply.status.rawValue)
        writer.write(reply.source.rawValue)
        writer.write(reply.incarnation.high)
        writer.write(reply.incarnation.low)
        writer.writeSequence(reply.oldest)
        writer.writeSequence(reply.highest)
        writer.write(reply.retryAfterMilliseconds)
        precondition(
            (reply.key != nil) == (reply.status == .ok), "ControlCodec: a key without a stream, or without one")
        if let key = reply.key { writer.write(key) }
    }

    private static func encode(_ renew: Renew, _ writer: inout WireWriter) {
        writer.write(renew.leaseNonce)
        writer.write(renew.subscriptions)
        writer.write(renew.digest)
        writer.write(renew.timestamp)
        writer.write(renew.echoedTimestamp)
        writer.write(renew.echoDelayMicroseconds)
        writer.write(renew.received)
        writer.write(renew.lost)
    }

    private static func encode(_ heartbeat: LinkHeartbeat, _ writer: inout WireWriter) {
        writer.write(heartbeat.nextLinkNumber)
        writer.write(heartbeat.leaseNonce)
        writer.write(heartbeat.timestamp)
        writer.write(heartbeat.echoedTimestamp)
        writer.write(heartbeat.echoDelayMicroseconds)
        writer.write(UInt8(heartbeat.digestMismatch ? 1 : 0))
        writer.writeCount(heartbeat.entries.count, max: LinkHeartbeat.entriesMax)
        for entry in heartbeat.entries {
            writer.write(entry.subscription)
            writer.writeSequence(entry.highest)
            writer.write(entry.upstreamSilentMilliseconds)
        }
    }

    private static func encode(_ nak: Nak, _ writer: inout WireWriter) {
        precondition(nak.isWellFormed, "ControlCodec: a NAK of no numbers, or of more than one NAK may ask for")
        writer.write(nak.subscription)
        writer.write(nak.isLast ? nak.tryNumber | ~Nak.triesMax : nak.tryNumber & Nak.triesMax)
        writer.writeCount(nak.runs.count, max: Nak.numbersMax)
        for run in nak.runs {
            writer.writeSequence(run.first)
            writer.write(run.count)
        }
    }
}

extension Nak {
    /// True if the NAK requests at least one number, at most `numbersMax`, and none below 1 or above
    /// `WireLimits.sequenceMax`.
    var isWellFormed: Bool {
        let numbers = runs.reduce(0) { $0 + Int($1.count) }
        return (1...Nak.numbersMax).contains(numbers) && runs.allSatisfy { $0.isWellFormed }
    }
}

extension Nak.Run {
    var isWellFormed: Bool {
        count > 0 && first != .none && first.rawValue <= WireLimits.sequenceMax
            && WireLimits.sequenceMax - first.rawValue >= UInt64(count) - 1
    }
}

extension RelayMessage {
    var kind: ControlCodec.Kind {
        switch self {
        case .subscribe: .subscribe
        case .subscribeReply: .subscribeReply
        case .unsubscribe: .unsubscribe
        case .subscriptionEnd: .subscriptionEnd
        case .renew: .renew
        case .linkHeartbeat: .linkHeartbeat
        case .nak: .nak
        case .announce: .announce
        case .heartbeat: .heartbeat
        case .announcePull: .announcePull
        case .heartbeatReply: .heartbeatReply
        case .close: .close
        case .sizeProbe: .sizeProbe
        case .sizeReport: .sizeReport
        case .payloadLimit: .payloadLimit
        case .probe: .probe
        case .probeReport: .probeReport
        case .witnessReport: .witnessReport
        case .regionReport: .regionReport
        case .lanFeed: .lanFeed
        }
    }
}
