import ReflectorModel
import RelayWire

extension NodeCore {
    /// Counts a child's claim of a portset if the claim contradicts the zone, and raises an alarm if one is due. Edges
    /// and entrypoints do not check claims.
    mutating func checkClaim(
        of child: ChildSubscription, _ stream: StreamState, zone: PortsetID, at now: MonotonicInstant
    ) {
        guard configuration.role != .edge, configuration.role != .entrypoint, child.portset != zone else { return }
        context.count(.portsetsCorrected)
        let link = child.link
        guard link.alarms.isDue(at: now) else { return }
        context.post(
            .alarm(.portsetCorrected(stream.name, claimed: child.portset, zone: zone, by: link.name, link.endpoint)))
    }
}
