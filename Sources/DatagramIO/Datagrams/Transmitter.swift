import CDatagram
import Glibc
import ReflectorModel

/// Packs datagrams into messages and messages into sendmmsg calls, in memory allocated once. A loop has one transmitter
/// for all its sockets.
///
/// A run, that is consecutive datagrams with one destination and one length (the last may be shorter), becomes a single
/// message that the kernel segments (UDP_SEGMENT). No failure is fatal: the datagram is counted by `errno`, and the
/// next one is sent.
final class Transmitter {
    /// Maximum number of datagrams in a run: the limit of every kernel with UDP_SEGMENT (UDP_MAX_SEGMENTS).
    static let runMax = 64
    /// Maximum number of bytes in a run: with the headers, fewer than the 65,535 of an IP packet.
    static let runBytesMax = 65_000
    /// Number of iovecs; a datagram needs two.
    private static let piecesMax = 2_048

    private let batch: Int
    private let sender: OpaquePointer
    private let messages: UnsafeMutablePointer<cdg_outgoing>
    /// Number of datagrams and bytes of each message.
    private let sizes: UnsafeMutablePointer<(datagrams: Int, bytes: Int)>
    private let pieces: UnsafeMutablePointer<iovec>
    private var messageCount = 0
    private var pieceCount = 0
    /// When to stop waiting for a full send buffer; set at the first wait of a send.
    private var patienceEnd: MonotonicInstant?

    /// - Parameter batch: maximum number of messages per sendmmsg call.
    init(batch: Int) {
        guard let sender = cdg_sender_create(UInt32(clamping: batch)) else { fatalError("out of memory") }
        self.batch = batch
        self.sender = sender
        messages = .allocate(capacity: batch)
        sizes = .allocate(capacity: batch)
        pieces = .allocate(capacity: Self.piecesMax)
    }

    deinit {
        cdg_sender_destroy(sender)
        messages.deallocate()
        sizes.deallocate()
        pieces.deallocate()
    }

    /// - Parameter locals: selects the socket of each datagram; without it, all leave through this socket.
    func send(_ outgoing: DatagramBatch, on socket: DatagramSocket, of locals: LocalSockets? = nil) {
        patienceEnd = nil
        let runMax = socket.maySegment() ? Self.runMax : 1
        outgoing.entries.withUnsafeBufferPointer { entries in
            guard let headers = UnsafeRawPointer(outgoing.headers.baseAddress) else { return }
            var rest = entries[...]
            while let first = rest.first {
                guard locals?.leaves(first, by: socket) ?? true else {
                    rest = rest.dropFirst()
                    continue
                }
                if isFull { flush(socket) }
                begin(to: first.destination)
                if socket.isWildcard, first.local != 0 { locals?.setSource(of: &messages[messageCount], first.local) }
                let count = appendRun(rest.prefix(runMax), headers)
                if socket.accepts(first.destination, datagrams: count) {
                    end(datagrams: count, segment: count > 1 ? first.length : 0)
                } else {
                    pieceCount = Int(messages[messageCount].first)
                }
                rest = rest.dropFirst(count)
            }
        }
        flush(socket)
    }

    /// Sends each reply as one message of one piece. The messages are counted in a local variable: updating a class's
    /// properties costs more.
    func send(_ replies: ReplyBatch, on socket: DatagramSocket) {
        patienceEnd = nil
        var count = 0
        for reply in replies.replies where socket.accepts(reply.destination, datagrams: 1) {
            if count == min(batch, Self.piecesMax) {
                (messageCount, pieceCount) = (count, count)
                flush(socket)
                count = 0
            }
            var message = cdg_outgoing()
            message.destination = cdg_endpoint(reply.destination)
            (message.first, message.pieces) = (UInt32(truncatingIfNeeded: count), 1)
            if socket.isWildcard {
                message.has_source = true
                message.source = cdg_address(reply.source)
                // For other addresses the routing table selects the interface: the return path may use another one.
                if reply.source.isLinkLocal { message.interface = reply.interface }
            }
            messages[count] = message
            pieces[count] = iovec(iov_base: replies.memory + reply.offset, iov_len: reply.length)
            sizes[count] = (1, reply.length)
            count += 1
        }
        (messageCount, pieceCount) = (count, count)
        flush(socket)
    }

    // MARK: Building messages

    private var isFull: Bool { messageCount == batch || pieceCount + 2 * Self.runMax > Self.piecesMax }

    /// Adds the run that begins with the first of `entries` to the current message. Returns the number of datagrams in
    /// the run. The counters are local variables, since the code runs for every datagram.
    private func appendRun(_ entries: Slice<UnsafeBufferPointer<DatagramBatch.Entry>>, _ headers: UnsafeRawPointer)
        -> Int
    {
        guard let first = entries.first else { return 0 }
        let (destination, local, longest) = (first.destination, first.local, first.length)
        let pieces = pieces
        var (piece, count, bytes) = (pieceCount, 0, 0)
        for entry in entries {
            let length = entry.length
            if count > 0 {
                guard length <= longest, length > 0, bytes + length <= Self.runBytesMax,
                    entry.destination == destination, entry.local == local
                else { break }
            }
            if entry.headerLength > 0 {
                let header = UnsafeMutableRawPointer(mutating: headers + Int(entry.headerOffset))
                pieces[piece] = iovec(iov_base: header, iov_len: Int(entry.headerLength))
                piece += 1
            }
            if let body = entry.body, entry.bodyLength > 0 {
                pieces[piece] = iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: body), iov_len: Int(entry.bodyLength))
                piece += 1
            }
            count += 1
            bytes += length
            // Only the last datagram of a run may be shorter, and an empty datagram cannot be part of a run.
            if length < longest || length == 0 { break }
        }
        pieceCount = piece
        sizes[messageCount].bytes = bytes
        return count
    }

    private func begin(to destination: Endpoint) {
        messages[messageCount] = cdg_outgoing()
        messages[messageCount].destination = cdg_endpoint(destination)
        messages[messageCount].first = UInt32(pieceCount)
        sizes[messageCount].bytes = 0
    }

    private func append(_ bytes: UnsafeRawPointer, _ count: Int) {
        guard count > 0 else { return }
        pieces[pieceCount] = iovec(iov_base: UnsafeMutableRawPointer(mutating: bytes), iov_len: count)
        pieceCount += 1
        sizes[messageCount].bytes += count
    }

    private func end(datagrams: Int, segment: Int) {
        messages[messageCount].pieces = UInt32(pieceCount) - messages[messageCount].first
        messages[messageCount].segment = UInt32(segment)
        sizes[messageCount].datagrams = datagrams
        messageCount += 1
    }

    // MARK: Sending

    private func flush(_ socket: DatagramSocket) {
        var next = 0
        // The message that is being sent a second time.
        var repeated = -1
        while next < messageCount {
            let sent = transmit(messages + next, messageCount - next, on: socket)
            if sent > 0 {
                countSent(next..<next + sent, on: socket)
                next += sent
                continue
            }
            if sent < 0, sent != -EAGAIN, socket.reportsErrors, repeated != next {
                // The kernel fails one call for an ICMP error about an earlier datagram, and sends nothing then. An
                // error of this message itself comes again.
                repeated = next
                socket.statistics.sendsRepeated &+= 1
                continue
            }
            if sent == -EAGAIN {
                for index in next..<messageCount {
                    socket.statistics.sendBufferFull &+= UInt64(sizes[index].datagrams)
                }
                break
            }
            if messages[next].segment != 0, Self.meansUncut(-Int32(sent)) {
                sendUncut(messages[next], on: socket)
            } else {
                fail(messages[next], -Int32(sent), sizes[next], on: socket)
            }
            next += 1
        }
        messageCount = 0
        pieceCount = 0
    }

    /// One sendmmsg call, repeated while the send buffer is full and the time limit has not passed.
    private func transmit(_ first: UnsafePointer<cdg_outgoing>, _ count: Int, on socket: DatagramSocket) -> Int {
        while true {
            socket.statistics.sendCalls &+= 1
            let v4 = socket.local.address.isV4
            let sent = Int(cdg_send(socket.descriptor, v4, sender, first, UInt32(count), pieces))
            guard sent == -EAGAIN else { return sent }
            let now = DatagramLoop.now
            let end = patienceEnd ?? now + DatagramSocket.sendPatience
            patienceEnd = end
            guard now < end, cdg_wait_writable(socket.descriptor, (end - now).nanoseconds) == 1 else { return sent }
        }
    }

    private func countSent(_ range: Range<Int>, on socket: DatagramSocket) {
        var datagrams = 0
        var bytes = 0
        var runs = 0
        for index in range {
            datagrams += sizes[index].datagrams
            bytes += sizes[index].bytes
            if messages[index].segment != 0 { runs += 1 }
        }
        socket.statistics.datagramsSent &+= UInt64(datagrams)
        socket.statistics.bytesSent &+= UInt64(bytes)
        socket.statistics.runsSegmented &+= UInt64(runs)
    }

    /// True if a run refused with `code` may succeed as single datagrams. Causes: the option is missing, the device has
    /// no checksum offload (EIO), or the segments with their headers exceed the path MTU (EINVAL, later EMSGSIZE).
    private static func meansUncut(_ code: Int32) -> Bool {
        [EINVAL, EIO, ENOPROTOOPT, EOPNOTSUPP, EMSGSIZE].contains(code)
    }

    /// Sends a refused run datagram by datagram. If the first datagram is sent, the kernel refused only the
    /// segmentation, and the socket does not use segmentation for a while.
    private func sendUncut(_ run: cdg_outgoing, on socket: DatagramSocket) {
        socket.statistics.segmentationFallbacks &+= 1
        var single = run
        single.segment = 0
        var tooLarge = false
        var piece = run.first
        let piecesEnd = run.first + run.pieces
        while piece < piecesEnd {
            single.first = piece
            var bytes = 0
            while piece < piecesEnd, bytes < Int(run.segment) {
                bytes += pieces[Int(piece)].iov_len
                piece += 1
            }
            single.pieces = piece - single.first
            if tooLarge, bytes == Int(run.segment) {
                fail(single, EMSGSIZE, (1, bytes), on: socket)
                continue
            }
            var sent = transmit(&single, 1, on: socket)
            if sent < 0, sent != -EAGAIN, socket.reportsErrors {
                socket.statistics.sendsRepeated &+= 1
                sent = transmit(&single, 1, on: socket)
            }
            if sent > 0 {
                socket.statistics.datagramsSent &+= 1
                socket.statistics.bytesSent &+= UInt64(bytes)
                if single.first == run.first { socket.suspendSegmentation() }
            } else if sent == -EAGAIN {
                socket.statistics.sendBufferFull &+= 1
            } else {
                tooLarge = tooLarge || sent == -EMSGSIZE
                fail(single, -Int32(sent), (1, bytes), on: socket)
            }
        }
    }

    private func fail(
        _ message: cdg_outgoing, _ code: Int32, _ size: (datagrams: Int, bytes: Int), on socket: DatagramSocket
    ) {
        socket.statistics.countFailure(code, datagrams: size.datagrams)
        socket.lastFailure = SendFailure(
            code: code, destination: Endpoint(message.destination), bytes: size.bytes / max(size.datagrams, 1))
    }
}
