import CDatagram

/// Statistics of one socket since it was opened. Datagrams are counted individually, even if several share one message.
public struct DatagramStatistics: Sendable, Equatable {
    public var datagramsReceived: UInt64 = 0
    public var bytesReceived: UInt64 = 0
    /// recvmmsg calls, including those that found nothing.
    public var receiveCalls: UInt64 = 0
    /// Messages that the kernel coalesced from several datagrams (UDP_GRO).
    public var messagesCoalesced: UInt64 = 0
    /// Dropped by the kernel because the receive buffer was full: updated with the next datagram that arrives
    /// (SO_RXQ_OVFL), or by `DatagramSocket.readDrops`.
    public var receiveBufferFull: UInt64 = 0
    /// Dropped here because they were longer than the loop's buffers.
    public var receivedTruncated: UInt64 = 0
    /// recvmmsg calls that failed.
    public var receiveFailures: UInt64 = 0
    /// ICMP messages that say that nobody listens on a port to which this socket sent.
    public var portsUnreachable: UInt64 = 0
    /// Other errors that the kernel queued, such as ICMP messages about an unreachable host or a small MTU.
    public var errorsIgnored: UInt64 = 0

    public var datagramsSent: UInt64 = 0
    public var bytesSent: UInt64 = 0
    /// sendmmsg calls.
    public var sendCalls: UInt64 = 0
    /// sendmmsg calls repeated because the kernel may have failed them for an earlier datagram's ICMP error.
    public var sendsRepeated: UInt64 = 0
    /// Messages that the kernel segmented into several datagrams (UDP_SEGMENT).
    public var runsSegmented: UInt64 = 0
    /// Runs that the kernel refused to segment and that were sent datagram by datagram instead.
    public var segmentationFallbacks: UInt64 = 0
    /// Dropped here because the send buffer stayed full for longer than `DatagramSocket.sendPatience`.
    public var sendBufferFull: UInt64 = 0
    /// Dropped here because the destination's address family differs from the socket's.
    public var sendWrongFamily: UInt64 = 0
    /// Datagrams that the kernel refused to send, by `errno`.
    public var sendFailures: [Int32: UInt64] = [:]
    /// Total of all send failures.
    public private(set) var sendFailuresTotal: UInt64 = 0

    public init() {}

    /// Number of all datagrams that were passed to `send` and not sent.
    public var datagramsUnsent: UInt64 {
        sendFailures.values.reduce(sendBufferFull &+ sendWrongFamily, &+)
    }

    mutating func countFailure(_ code: Int32, datagrams: Int) {
        sendFailures[code, default: 0] &+= UInt64(datagrams)
        sendFailuresTotal &+= UInt64(datagrams)
    }

    /// Name and value of every counter, failures as `sendFailures.MESSAGE`, in a fixed order.
    public var counters: [(name: String, value: UInt64)] {
        [
            ("datagramsReceived", datagramsReceived), ("bytesReceived", bytesReceived),
            ("receiveCalls", receiveCalls), ("messagesCoalesced", messagesCoalesced),
            ("receiveBufferFull", receiveBufferFull), ("receivedTruncated", receivedTruncated),
            ("receiveFailures", receiveFailures), ("portsUnreachable", portsUnreachable),
            ("errorsIgnored", errorsIgnored), ("datagramsSent", datagramsSent), ("bytesSent", bytesSent),
            ("sendCalls", sendCalls), ("sendsRepeated", sendsRepeated), ("runsSegmented", runsSegmented),
            ("segmentationFallbacks", segmentationFallbacks), ("sendBufferFull", sendBufferFull),
            ("sendWrongFamily", sendWrongFamily),
        ]
            + sendFailures.sorted { $0.key < $1.key }.map {
                ("sendFailures." + String(cString: cdg_error_text($0.key)), $0.value)
            }
    }
}
