import ReflectorModel
import RelayWire

/// A node that is told to stop: its children move away before it goes, so that nobody finds out by silence.
extension RelayNode {
    /// Takes nothing new on and tells every child that still fetches something to go elsewhere, make before break. To be
    /// called again every few hundred milliseconds, should a message be lost, until it returns true: nobody fetches any
    /// more. What children have not got yet goes on being served meanwhile.
    public func drain(at now: MonotonicInstant) -> Bool {
        admission.drain()
        var isDone = true
        for link in links.children.all where !link.ordered.isEmpty {
            isDone = false
            send(.close(.shuttingDown), on: link, at: now)
        }
        return isDone
    }

    /// The last words: every link is closed, so that neither side waits for the other. The node must be used no more,
    /// except to transmit them.
    public func close(at now: MonotonicInstant) {
        admission.drain()
        for link in links.children.all { send(.close(.leaving), on: link, at: now) }
        for link in links.parents.all where link.isAlive { send(.close(.leaving), on: link, at: now) }
    }
}
