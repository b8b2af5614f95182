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
        let count = Int(cdg_receive(socket.descriptor, receiver, messages))
        socket.statistics.receiveCalls &+= 1
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
