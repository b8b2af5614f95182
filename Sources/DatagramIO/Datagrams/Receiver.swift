import CDatagram
import ReflectorModel

/// The receive buffers of one loop, used for all its sockets in turn; allocated once.
final class Receiver {
    let batch: Int
    /// Number of datagrams received so far, on all sockets.
    private(set) var datagrams: UInt64 = 0
    private let receiver: OpaquePointer
    private let messages: UnsafeMutablePointer<cdg_received>

    /// - Parameters:
    ///   - batch: maximum number of messages per recvmmsg call.
    ///   - bufferBytes: bytes per message. The memory becomes resident only as far as messages fill it.
    init(batch: Int, bufferBytes: Int) {
        guard let receiver = cdg_receiver_create(UInt32(clamping: batch), UInt32(clamping: bufferBytes)) else {
            fatalError("out of memory")
        }
        self.batch = batch
        self.receiver = receiver
        messages = .allocate(capacity: batch)
    }

    deinit {
        cdg_receiver_destroy(receiver)
        messages.deallocate()
    }

    /// Receives one batch and passes each datagram to `handler`. Returns true if more may be waiting.
    func receiveBatch(on socket: DatagramSocket, handler: any DatagramHandler) -> Bool {
        var count = receive(on: socket)
        // The kernel fails one call for an ICMP error, which waits in the error queue too; datagrams may wait as well.
        if count < 0, socket.reportsErrors { count = receive(on: socket) }
        guard count > 0 else {
            if count < 0 { socket.statistics.receiveFailures &+= 1 }
            return false
        }
        let now = MonotonicInstant(nanoseconds: cdg_now())
        var tally = Tally()
        for index in 0..<count where socket.slot != nil {
            deliver(messages[index], in: cdg_receiver_buffer(receiver, UInt32(index)), socket, handler, now, &tally)
        }
        datagrams &+= tally.datagrams
        socket.statistics.datagramsReceived &+= tally.datagrams
        socket.statistics.bytesReceived &+= tally.bytes
        if socket.slot != nil { handler.batchEnded(on: socket, at: now) }
        return count == batch
    }

    private func receive(on socket: DatagramSocket) -> Int {
        socket.statistics.receiveCalls &+= 1
        return Int(cdg_receive(socket.descriptor, receiver, messages))
    }

    /// Empties the socket's error queue, up to a limit, and passes each unreachable port to `handler`. Entries that stay
    /// there would take room from datagrams.
    func receiveErrors(on socket: DatagramSocket, handler: any DatagramHandler) {
        guard socket.reportsErrors else { return }
        let now = MonotonicInstant(nanoseconds: cdg_now())
        var refusal = cdg_refusal()
        for _ in 0..<Self.errorsPerVisit where socket.slot != nil {
            guard cdg_receive_error(socket.descriptor, &refusal) == 1 else { return }
            guard refusal.port_unreachable else {
                socket.statistics.errorsIgnored &+= 1
                continue
            }
            socket.statistics.portsUnreachable &+= 1
            let destination = Endpoint(refusal.destination)
            let length = Int(refusal.quoted_length)
            withUnsafeBytes(of: &refusal.quoted) { bytes in
                let quoted = UnsafeRawBufferPointer(rebasing: bytes.prefix(length))
                handler.portUnreachable(
                    RefusedDatagram(destination: destination, quoted: quoted), on: socket, at: now)
            }
        }
    }

    /// Maximum number of errors that are read before others get their turn. The rest follows in the next wake-up.
    static let errorsPerVisit = 64

    /// A batch's counts for the socket's statistics: updating a class's properties for each datagram costs more.
    private struct Tally {
        var datagrams: UInt64 = 0
        var bytes: UInt64 = 0
    }

    /// Splits a message into its datagrams and passes each to `handler`. UDP_GRO joins datagrams of one size; only the
    /// last may be shorter.
    private func deliver(
        _ message: cdg_received, in buffer: UnsafeMutableRawPointer, _ socket: DatagramSocket,
        _ handler: any DatagramHandler, _ now: MonotonicInstant, _ tally: inout Tally
    ) {
        if message.has_dropped { socket.noteDrops(message.dropped) }
        guard !message.truncated else {
            socket.statistics.receivedTruncated &+= 1
            return
        }
        let length = Int(message.length)
        let segment = message.segment == 0 ? length : Int(message.segment)
        if segment < length { socket.statistics.messagesCoalesced &+= 1 }
        tally.bytes &+= UInt64(length)
        let local = message.has_local ? IPAddress(message.local) : socket.local.address
        var datagram = ReceivedDatagram(
            bytes: UnsafeMutableRawBufferPointer(start: buffer, count: 0), source: Endpoint(message.source),
            local: local, interface: message.interface)
        var offset = 0
        repeat {
            let size = min(segment, length - offset)
            datagram.bytes = UnsafeMutableRawBufferPointer(start: buffer + offset, count: size)
            tally.datagrams &+= 1
            handler.receive(datagram, on: socket, at: now)
            offset += size
        } while offset < length && socket.slot != nil
    }
}
