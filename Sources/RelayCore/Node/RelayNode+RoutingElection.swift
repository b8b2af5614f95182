import ReflectorModel
import RelayWire

/// Routes what concerns the election of entrypoints.
extension RelayNode {
    /// This entrypoint may pull the stream from its encoder. `RelayAction.pull` says when to pull it.
    public func offer(_ name: StreamName, at now: MonotonicInstant) {
    }

    /// The stream is no longer offered.
    public func withdrawOffer(_ name: StreamName, at now: MonotonicInstant) {
    }

    /// Who leads a stream for which this entrypoint is a candidate.
    public func leadership(of name: StreamName, at now: MonotonicInstant) -> Leadership {
        Leadership(isLeader: true, leader: nil, rank: nil)
    }
}
