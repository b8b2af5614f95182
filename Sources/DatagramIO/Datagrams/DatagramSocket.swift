import CDatagram
import ReflectorModel

/// A UDP socket of one address family. It can be opened on any thread and is given to a `DatagramLoop` with `add`; from
/// then on only the loop's thread may use it. It is deliberately not Sendable. Closed when the last reference is
/// released.
public final class DatagramSocket {
    /// The address to which it is bound, with the port chosen by the kernel.
    public let local: Endpoint
    /// Bound to 0.0.0.0 or ::, so that each datagram carries its own local address.
    public let isWildcard: Bool
    /// Bytes granted for the receive and send buffers, as counted by the kernel: its overhead is included, so only half
    /// of them are for payload.
    public let receiveBufferBytes: Int
    public let sendBufferBytes: Int
    /// Set by the owner to tell its sockets apart without a table.
    public var tag = 0
    /// Counters of all datagrams; used only on the loop's thread.
    public internal(set) var statistics = DatagramStatistics()

    /// The most recent datagram that the kernel refused to send.
    public internal(set) var lastFailure: SendFailure?

    let descriptor: Int32
    /// Index in the loop; nil while in no loop.
    var slot: Int?
    var receivesCoalesced: Bool
    /// The kernel keeps ICMP errors in the socket's error queue, and fails one call for each of them.
    let reportsErrors: Bool
    var kernelDropsSeen: UInt32 = 0
    var transmitter: Transmitter?
    /// Nil while runs may be sent as one message; otherwise runs are split until this time.
    var segmentationSuspendedUntil: MonotonicInstant?

    /// - Throws: `DatagramError` with the step that failed, such as `bind 127.0.0.1:53: Permission denied`.
    public init(bind endpoint: Endpoint, options: DatagramSocketOptions = .init()) throws(DatagramError) {
        var wanted = cdg_socket_options()
        wanted.reuse_address = options.reuseAddress
        wanted.reuse_port = options.reusePort
        wanted.free_bind = options.freeBind
        wanted.receive_offload = options.receiveOffload
        wanted.report_drops = options.reportsDrops
        wanted.report_errors = options.reportsUnreachablePorts
        wanted.mtu = options.pathMTU.policy
        wanted.receive_buffer_bytes = UInt32(clamping: options.receiveBufferBytes)
        wanted.send_buffer_bytes = UInt32(clamping: options.sendBufferBytes)
        var report = cdg_socket_report()
        var address = cdg_endpoint(endpoint)
        descriptor = cdg_socket_open(&address, &wanted, &report)
        guard descriptor >= 0 else {
            throw DatagramError(
                operation: report.failed_step.map { String(cString: $0) } ?? "open", code: -descriptor,
                subject: endpoint.description)
        }
        local = Endpoint(report.bound)
        isWildcard = report.wildcard
        receiveBufferBytes = Int(report.receive_buffer_bytes)
        sendBufferBytes = Int(report.send_buffer_bytes)
        receivesCoalesced = report.receive_offload
        reportsErrors = options.reportsUnreachablePorts
        segmentationSuspendedUntil =
            options.segmentationOffload && report.segmentation_offload ? nil : .distantFuture
    }

    deinit { cdg_close(descriptor) }

    /// True while runs are sent as one message each (UDP_SEGMENT).
    public var segmentsRuns: Bool { segmentationSuspendedUntil == nil }

    /// Updates `statistics.receiveBufferFull`, for sockets whose datagrams don't report drops (`reportsDrops`).
    public func readDrops() { noteDrops(cdg_socket_drops(descriptor)) }

    func noteDrops(_ total: UInt32) {
        statistics.receiveBufferFull &+= UInt64(total &- kernelDropsSeen)
        kernelDropsSeen = total
    }

    /// Makes the kernel deliver single datagrams, for a loop whose buffers are too small for a coalesced message.
    func disableReceiveOffload() {
        guard receivesCoalesced, cdg_socket_disable_receive_offload(descriptor) == 0 else { return }
        receivesCoalesced = false
    }
}

extension cdg_endpoint {
    init(_ endpoint: Endpoint) { self.init(address: cdg_address(endpoint.address), port: endpoint.port) }
}

extension cdg_address {
    init(_ address: IPAddress) { self.init(high: address.high, low: address.low) }
}

extension Endpoint {
    init(_ endpoint: cdg_endpoint) { self.init(address: IPAddress(endpoint.address), port: endpoint.port) }
}

extension IPAddress {
    init(_ address: cdg_address) { self.init(high: address.high, low: address.low) }
}
