import ReflectorModel
import RelayWire

/// Declared egress capacity (design §7, "Overload"): whom a node that is nearly full turns away, and whom it asks to leave.
/// A copy that somebody has twice is worth less than one that somebody lacks.
///
///     0 ───────────── 80 % ───────── 90 % ──── 95 % ── 100 %
///      all are taken  │ no extra paths │         │ nobody: "busy, try next"
///                     │                └ extra paths are asked to end
///                     └ until it is this again          rest: control, retransmits, whoever catches up
extension RelayNode {
    private static var shareForExtraPaths: Double { 0.8 }
    private static var shareToShed: Double { 0.9 }
    private static var shareForAll: Double { 0.95 }
    /// Who was asked to end an extra path, and has it still, is asked again after this.
    private static var askAgainAfter: TimeSpan { .seconds(2) }

    /// Whether what goes out now and this stream once more fit. It is counted as sent from now on; nil if it does not fit.
    func admit(_ request: Subscribe, at now: MonotonicInstant) -> Admission? {
        guard configuration.capacity > 0 else { return Admission(rate: 0, isExtra: false, countedAt: nil) }
        countEgress(at: now)
        let known = streamByName[request.stream].flatMap { streams[$0] }.flatMap { bitRate(of: $0, at: now) }
        let more = known ?? averageCopy
        let capacity = Double(configuration.capacity)
        // Extra paths will go if they must.
        let isAdmitted =
            request.isExtra
            ? egress + more <= capacity * Self.shareForExtraPaths
            : egress - extraEgress + more <= capacity * Self.shareForAll
        if isAdmitted {
            egress += more
            if request.isExtra { extraEgress += more }
        }
        if !request.isExtra { shedExtraPaths(at: now) }
        return isAdmitted ? Admission(rate: more, isExtra: request.isExtra, countedAt: egressCountedAt) : nil
    }

    /// What was admitted goes out no more. If it has been counted since, the next count leaves it out.
    func takeBack(_ admission: Admission) {
        guard admission.countedAt != nil, admission.countedAt == egressCountedAt else { return }
        egress = max(egress - admission.rate, 0)
        if admission.isExtra { extraEgress = max(extraEgress - admission.rate, 0) }
    }

    /// What goes out is added up ten times a second at most, and what is admitted meanwhile on top: when a thousand
    /// children of a neighbour come at once, each costs the same however many streams there are. Streams of unknown rate
    /// count as the others on average.
    private func countEgress(at now: MonotonicInstant) {
        guard egressCountedAt.map({ now - $0 >= .milliseconds(100) }) ?? true else { return }
        egressCountedAt = now
        var (known, knownCopies, unknownCopies) = (0.0, 0.0, 0.0)
        var (knownExtra, unknownExtraCopies) = (0.0, 0.0)
        for stream in streams.all {
            let copies = Double(stream.children.count)
            let extraCopies = Double(stream.children.count { $0.isExtra })
            if let rate = bitRate(of: stream, at: now) {
                known += rate * copies
                knownExtra += rate * extraCopies
                knownCopies += copies
            } else {
                unknownCopies += copies
                unknownExtraCopies += extraCopies
            }
        }
        averageCopy = knownCopies > 0 ? known / knownCopies : 0
        egress = known + averageCopy * unknownCopies
        extraEgress = knownExtra + averageCopy * unknownExtraCopies
    }

    /// Asks children that have a stream by another path as well to end theirs here, if the node is nearly full. To be
    /// called at each subscription, and now and then.
    func shedExtraPaths(at now: MonotonicInstant) {
        guard configuration.capacity > 0 else { return }
        countEgress(at: now)
        let capacity = Double(configuration.capacity)
        guard egress > capacity * Self.shareToShed, now >= shedNext else { return }
        shedNext = now + .milliseconds(100)
        var excess = egress - capacity * Self.shareForExtraPaths
        for stream in streams.all {
            let rate = bitRate(of: stream, at: now) ?? averageCopy
            for subscription in stream.children where subscription.isExtra && excess > 0 {
                excess -= rate
                if let askedAt = subscription.askedToEndAt, now - askedAt < Self.askAgainAfter { continue }
                subscription.askedToEndAt = now
                counters.add(.extraPathsCrowded)
                let reply = SubscribeReply(subscription: subscription.id, status: .crowded)
                send(.subscribeReply(reply), on: subscription.link, at: now)
            }
        }
    }

    /// The child's part: a parent that is nearly full asks for the end of a path. It stays if no other brings the stream.
    func leaveCrowded(_ path: StreamPath, of stream: StreamState, at now: MonotonicInstant) {
        let isBroughtElsewhere = stream.paths.contains {
            $0 !== path && isFlowing($0, stream) && now - $0.lastArrival < Self.overlapMax
        }
        guard isBroughtElsewhere else {
            // It was an extra path once: the parent is told that it no longer is.
            path.isExtra = false
            return subscribe(path, of: stream, at: now)
        }
        counters.add(.pathsShed)
        stream.noteRefusal(by: path.candidate.endpoint, ofExtra: true, at: now)
        removePath(path, of: stream, at: now)
    }

    /// Bits a second of a copy on the wire; nil if it is not known, as what came of late came faster than it happened.
    private func bitRate(of stream: StreamState, at now: MonotonicInstant) -> Double? {
        guard stream.packetsIn > 0, !isFilling(stream, at: now), isRateKnown(of: stream, at: now) else { return nil }
        let overhead = Double(WireLimits.dataOverhead + EgressBudget.networkOverhead)
        return arrivalRate(of: stream, at: now) * 8 * (Double(stream.bytesIn) / Double(stream.packetsIn) + overhead)
    }
}

/// What a subscription added to what a node counts on sending.
struct Admission {
    /// In bits a second.
    var rate: Double
    var isExtra: Bool
    /// The count on top of which it was added.
    var countedAt: MonotonicInstant?
}
