import Foundation
import Glibc
import ReflectorModel
import Synchronization

/// Sits between a relay and its peers like a NAT, sees every datagram, and forges some. Runs on its own thread until it
/// is stopped.
final class Wiretap: Sendable {
    private struct State {
        var isEnded = false
        var sockets: [Endpoint: UDPSocket] = [:]
        /// The newest datagrams from each client, newest last.
        var control: [Endpoint: [[UInt8]]] = [:]
        var forged = 0
        var dataSeen = 0
    }

    private let listener: UDPSocket
    private let target: Endpoint
    private let outside: IPAddress
    /// The client that gets forged data datagrams.
    private let victim: Endpoint
    private let state = Mutex(State())

    /// - Parameters:
    ///   - listen: the address that clients know.
    ///   - target: the relay's real address.
    ///   - outside: source address towards the relay, with a port for each client.
    ///   - victim: the client that gets forged data, from the address that it knows.
    init(listen: Endpoint, target: Endpoint, outside: IPAddress, victim: Endpoint) throws {
        listener = try UDPSocket(listen)
        self.target = target
        self.outside = outside
        self.victim = victim
        let thread = Thread { [self] in run() }
        thread.name = "wiretap"
        thread.start()
    }

    func end() { state.withLock { $0.isEnded = true } }

    /// Datagrams forged so far: random tokens, flipped bits, changed numbers.
    var forged: Int { state.withLock { $0.forged } }

    /// The newest datagram of a client that meets the condition.
    func heard(from client: Endpoint, where isWanted: ([UInt8]) -> Bool) -> [UInt8]? {
        let all = state.withLock { $0.control[client] ?? [] }
        return all.last(where: isWanted)
    }

    /// Sends to the relay as if the client had sent it.
    func send(_ bytes: [UInt8], as client: Endpoint) {
        state.withLock { $0.sockets[client] }?.send(bytes, to: target)
    }

    private func run() {
        while !state.withLock({ $0.isEnded }) {
            let sockets = state.withLock { $0.sockets }
            let clients = sockets.keys.sorted()
            var polled = [pollfd(fd: listener.descriptor, events: Int16(POLLIN), revents: 0)]
            polled += clients.map { pollfd(fd: sockets[$0]?.descriptor ?? -1, events: Int16(POLLIN), revents: 0) }
            guard poll(&polled, nfds_t(polled.count), 50) > 0 else { continue }
            while let (bytes, client) = listener.receive() { up(bytes, from: client) }
            for client in clients {
                while let (bytes, _) = sockets[client]?.receive() { down(bytes, to: client) }
            }
        }
        listener.close()
        for socket in state.withLock({ Array($0.sockets.values) }) { socket.close() }
    }

    private func up(_ bytes: [UInt8], from client: Endpoint) {
        let socket: UDPSocket? = state.withLock { state in
            if state.sockets[client] == nil {
                state.sockets[client] = try? UDPSocket(Endpoint(address: outside, port: 0))
            }
            state.control[client, default: []].append(bytes)
            if state.control[client, default: []].count > 512 { state.control[client]?.removeFirst(256) }
            return state.sockets[client]
        }
        socket?.send(bytes, to: target)
    }

    /// Forwards to a client. The victim gets a forged copy before every 20th data packet, so that the copy is the first
    /// with its number.
    private func down(_ bytes: [UInt8], to client: Endpoint) {
        if client == victim, bytes.first == 0x30, bytes.count > 100 {
            let number = state.withLock { state in
                state.dataSeen += 1
                return state.dataSeen
            }
            if number.isMultiple(of: 20) {
                var forged = bytes
                switch number / 20 % 3 {
                case 0: for index in 2..<10 { forged[index] = .random(in: 0...255) }
                case 1: forged[.random(in: 31..<bytes.count)] ^= 0x10
                default: forged[29] &+= 100
                }
                listener.send(forged, to: client)
                state.withLock { $0.forged += 1 }
            }
        }
        listener.send(bytes, to: client)
    }
}
