import ReflectorModel

/// One datagram in the loop's buffers. Valid until `receive` returns.
public struct ReceivedDatagram {
    /// The payload, mutable so that it can be decrypted in place.
    public var bytes: UnsafeMutableRawBufferPointer
    public var source: Endpoint
    /// The address it was sent to: a reply must have this source.
    public var local: IPAddress
    /// Index of the receiving interface if the kernel reports it (wildcard-bound sockets), otherwise 0.
    public var interface: UInt32
}

/// A datagram of ours that reached a host where nobody listens on its port, as an ICMP message says. Such a message can be
/// forged. Valid until `portUnreachable` returns.
public struct RefusedDatagram {
    public var destination: Endpoint
    /// The first bytes of the refused datagram, at most 64, as far as the message quotes them. Only who saw the datagram
    /// knows them.
    public var quoted: UnsafeRawBufferPointer
}

/// The owner of a loop's sockets: a shell around a state machine. Every method is called on the loop's thread, one at
/// a time, and must not block.
public protocol DatagramHandler: AnyObject {
    /// Called when the loop wakes more than `DatagramLoop.latenessMax` after `DatagramLoop.nextWakeup`, before anything is
    /// read: datagrams may have waited in the sockets.
    func wokeLate(at now: MonotonicInstant)
    /// Called for every datagram, in the order of reception. `now` is equal for a whole batch.
    func receive(_ datagram: ReceivedDatagram, on socket: DatagramSocket, at now: MonotonicInstant)
    /// Called after each batch of `receive` calls of one socket: the time to send the resulting datagrams.
    func batchEnded(on socket: DatagramSocket, at now: MonotonicInstant)
    /// Called for every ICMP port-unreachable message about a datagram sent from a socket that was opened with
    /// `DatagramSocketOptions.reportsUnreachablePorts`, after the datagrams that the socket has received.
    func portUnreachable(_ refused: RefusedDatagram, on socket: DatagramSocket, at now: MonotonicInstant)
    /// Called when a descriptor that the loop watches (`DatagramLoop.watch`) can be read or written, or has failed.
    func ready(_ tag: UInt32, at now: MonotonicInstant)
    /// Called once `now` has reached `DatagramLoop.nextWakeup`, which is then nil until set again.
    func timerFired(at now: MonotonicInstant)
    /// Called last in every wake-up, after sockets, work from other threads and the timer: the time to send what is
    /// left and to set `DatagramLoop.nextWakeup`.
    func wakeEnded(at now: MonotonicInstant)
}

extension DatagramHandler {
    public func wokeLate(at now: MonotonicInstant) {}
    public func batchEnded(on socket: DatagramSocket, at now: MonotonicInstant) {}
    public func portUnreachable(_ refused: RefusedDatagram, on socket: DatagramSocket, at now: MonotonicInstant) {}
    public func ready(_ tag: UInt32, at now: MonotonicInstant) {}
    public func timerFired(at now: MonotonicInstant) {}
    public func wakeEnded(at now: MonotonicInstant) {}
}
