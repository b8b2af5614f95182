import ReflectorModel
import RelayWire

/// Where packets go: the link of one child, or a group of the LAN. `EgressScheduler` sends what its queues hold.
protocol EgressLine: AnyObject {
    var endpoint: Endpoint { get }
    /// Number of our own address from which packets are sent.
    var local: UInt8 { get }
    /// Written on every packet.
    var token: UInt64 { get }
    var queues: ChildQueues { get set }
    /// Packets were sent.
    func noteSent(at now: MonotonicInstant)
    /// Packets that stayed in this node for that long were sent.
    func noteResidence(_ span: TimeSpan, count: Int, at now: MonotonicInstant)
}
