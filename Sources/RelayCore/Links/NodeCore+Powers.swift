import NodeIdentity
import ReflectorModel
import RelayWire

/// What peers may do, and the keys of streams that they get.
extension NodeCore {
    /// Counts and reports what a child tried although its certificate does not allow it.
    mutating func refusePower(_ power: RelayPower, to link: ChildLink, at now: MonotonicInstant) {
        context.count(.powersExceeded)
        guard let count = context.isAlarmDue(.powerExceeded, at: now) else { return }
        context.post(
            .alarm(
                .powerExceeded(
                    peer: link.name, link.certificate.role, power, count: count, link.endpoint)))
    }

    /// The incarnation's key, encrypted for this child alone. Nil if the link is closed.
    func wrap(_ incarnation: IncarnationState, for link: ChildLink) -> WrappedKey? {
        guard let keys = link.session.keys else { return nil }
        return crypto.wrap(
            incarnation.key, of: incarnation.tag, under: keys.wrapping, nonce: link.session.takeWrapNonce())
    }
}
