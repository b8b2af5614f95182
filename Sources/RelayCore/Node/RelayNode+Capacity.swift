import ReflectorModel
import RelayWire

/// Declared egress capacity: what `Admission` decides, carried out.
extension RelayNode {
    /// A child that was asked to end an extra path, and has it still, is asked again after this.
    private static var askAgainAfter: TimeSpan { .seconds(2) }

    /// Whether there is capacity for this stream once more. It counts as sent from now on; nil if it does not fit.
    func admit(_ request: Subscribe, at now: MonotonicInstant) -> Admission.Grant? {
        let grant = admission.admit(
            isExtra: request.isExtra, rate: { streams[request.stream]?.bitRate(at: now) },
            loads: { loads(at: now) },
            at: now)
        if !request.isExtra { shedExtraPaths(at: now) }
        return grant
    }

    /// Asks children that have a stream by another path as well to end theirs here, if the node is nearly full. To be
    /// called at each subscription, and now and then.
    func shedExtraPaths(at now: MonotonicInstant) {
        guard var excess = admission.takeExcess(loads: { loads(at: now) }, at: now) else { return }
        for stream in streams.all {
            let rate = stream.bitRate(at: now) ?? admission.averageCopy
            for subscription in stream.children where subscription.isExtra && excess > 0 {
                excess -= rate
                if let askedAt = subscription.askedToEndAt, now - askedAt < Self.askAgainAfter { continue }
                subscription.askedToEndAt = now
                context.count(.extraPathsCrowded)
                let reply = SubscribeReply(subscription: subscription.id, status: .crowded)
                send(.subscribeReply(reply), on: subscription.link, at: now)
            }
        }
    }

    private func loads(at now: MonotonicInstant) -> [Admission.Load] {
        streams.all.map { stream in
            Admission.Load(
                rate: stream.bitRate(at: now), copies: stream.children.count,
                extraCopies: stream.children.count { $0.isExtra })
        }
    }
}
