import DNSAnswers
import DatagramIO
import Glibc
import ReflectorModel

/// Answers the datagrams of one loop: each where it lies into a reply buffer, all replies of a batch sent together.
final class QueryLoop: DatagramHandler {
    private var responder: Responder
    private let replies = ReplyBatch(countMax: 64, capacity: 64 * AnswerEngine.udpSizeMax)
    private let sockets: [DatagramSocket]
    private let privileged: [AddressBlock]
    private let desk: RequestDesk

    init(engine: AnswerEngine, sockets: [DatagramSocket], privileged: [AddressBlock], desk: RequestDesk) {
        responder = Responder(engine)
        responder.hasDesk = true
        self.desk = desk
        self.sockets = sockets
        self.privileged = privileged
    }

    func receive(_ datagram: ReceivedDatagram, on socket: DatagramSocket, at now: MonotonicInstant) {
        // Port 0 can't be answered; sendmmsg would say so after the work.
        guard datagram.source.port != 0 else { return }
        if !replies.hasRoom(lengthMax: AnswerEngine.udpSizeMax) { send(on: socket) }
        let isPrivileged = privileged.contains { $0.contains(datagram.source.address) }
        responder.now = Int64(time(nil))
        replies.append(to: datagram, lengthMax: AnswerEngine.udpSizeMax) { buffer in
            let query = UnsafeRawBufferPointer(datagram.bytes)
            let length = responder.answer(query, over: .udp, isPrivileged: isPrivileged, into: buffer)
            guard length < 0 else { return length }
            return desk.answer(
                datagram: query, from: datagram.source, isPrivileged: isPrivileged, &responder, into: buffer)
        }
    }

    func batchEnded(on socket: DatagramSocket, at now: MonotonicInstant) {
        send(on: socket)
    }

    /// Answers from `engine` from the next query on.
    func replace(_ engine: AnswerEngine) {
        responder.engine = engine
        desk.replace(engine)
    }

    /// Counts of this loop, with its sockets' own.
    var counters: [String: UInt64] {
        var result = responder.counters(transport: "udp")
        for socket in sockets {
            for (name, value) in socket.statistics.counters { result["udp_socket_\(name)", default: 0] &+= value }
        }
        return result
    }

    private func send(on socket: DatagramSocket) {
        guard !replies.isEmpty else { return }
        socket.send(replies)
        replies.removeAll()
    }
}

extension Responder {
    /// All counts, named `udp_answered` and so on.
    func counters(transport: String) -> [String: UInt64] {
        var result: [String: UInt64] = [:]
        for counter in AnswerCounter.allCases { result["\(transport)_\(counter.name)"] = count(of: counter) }
        return result
    }
}
