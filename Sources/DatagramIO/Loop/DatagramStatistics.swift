import CDatagram

/// Statistics of one socket since it was opened. Datagrams are counted one by one, also those that travelled together
/// in one message.
public struct DatagramStatistics: Sendable, Equatable {
    public var datagramsReceived: UInt64 = 0
    public var bytesReceived: UInt64 = 0
    /// recvmmsg calls, those that found nothing included.
    public var receiveCalls: UInt64 = 0
    /// Messages that the kernel had put together from several datagrams (UDP_GRO).
    public var messagesCoalesced: UInt64 = 0
    /// Dropped by the kernel for want of receive buffer: known at the next datagram that arrives (SO_RXQ_OVFL), or when
    /// `DatagramSocket.readDrops` has asked.
    public var receiveBufferFull: UInt64 = 0
    /// Dropped here because longer than the loop's buffers.
    public var receivedTruncated: UInt64 = 0
    /// recvmmsg calls that failed.
    public var receiveFailures: UInt64 = 0

    public var datagramsSent: UInt64 = 0
    public var bytesSent: UInt64 = 0
    /// sendmmsg calls.
    public var sendCalls: UInt64 = 0
    /// Messages that the kernel cut into several datagrams (UDP_SEGMENT).
    public var runsSegmented: UInt64 = 0
    /// Runs that the kernel refused to cut and that were sent datagram by datagram instead.
    public var segmentationFallbacks: UInt64 = 0
    /// Dropped here because the send buffer stayed full for longer than `DatagramSocket.sendPatience`.
    public var sendBufferFull: UInt64 = 0
    /// Dropped here because the destination's address family is not the socket's.
    public var sendWrongFamily: UInt64 = 0
    /// Datagrams that the kernel refused to send, by `errno`.
    public var sendFailures: [Int32: UInt64] = [:]
    /// All of these together.
    public private(set) var sendFailuresTotal: UInt64 = 0

    public init() {}

    /// Every datagram that was handed over to be sent and did not leave.
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
            ("receiveFailures", receiveFailures), ("datagramsSent", datagramsSent), ("bytesSent", bytesSent),
            ("sendCalls", sendCalls), ("runsSegmented", runsSegmented),
            ("segmentationFallbacks", segmentationFallbacks), ("sendBufferFull", sendBufferFull),
            ("sendWrongFamily", sendWrongFamily),
        ]
            + sendFailures.sorted { $0.key < $1.key }.map {
                ("sendFailures." + String(cString: cdg_error_text($0.key)), $0.value)
            }
    }
}
