import DNSAnswers
import DatagramIO
import Glibc
import ReflectorModel

/// Accepts connections and answers the messages of each in order. One loop serves all connections; UDP has loops of its
/// own. Queries may be pipelined; a transfer delays only its own connection.
final class TCPLoop: DatagramHandler {
    /// Set in the tags of listeners. The tag of a connection is a slot and the slot's use count.
    static let listenerBit: UInt32 = 1 << 31
    static let slotsMax = 1 << 16
    static let lengthMax = 65_535
    /// A length field and a whole message must fit after the incomplete message that the previous read left.
    private static let inputBytes = 2 * (2 + lengthMax)
    static let outputBytes = 4 * (2 + lengthMax)
    private static let acceptsPerVisit = 64

    let loop: DatagramLoop
    let limits: TCPLimits
    let requestHandler: RequestHandler
    let sources: TransferSources
    private let privileged: [CIDRBlock]
    var responder: Responder
    private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: inputBytes, alignment: 16)
    let output = UnsafeMutableRawBufferPointer.allocate(byteCount: outputBytes, alignment: 16)

    private var listeners: [StreamSocket] = []
    private var slots: [TCPConnection?] = []
    private var uses: [UInt16] = []
    private var free: [Int] = []
    private var perClient: [IPAddress: Int] = [:]
    private var queues = Array(repeating: ConnectionQueue(), count: TCPConnection.State.allCases.count)
    private(set) var open = 0
    var bufferedBytes = 0
    var transfers = 0
    var counts: [TCPCounter: UInt64] = [:]

    init(
        engine: AnswerEngine, loop: DatagramLoop, limits: TCPLimits, privileged: [CIDRBlock],
        requestHandler: RequestHandler,
        sources: TransferSources
    ) {
        self.loop = loop
        self.limits = limits
        self.privileged = privileged
        self.requestHandler = requestHandler
        self.sources = sources
        responder = Responder(engine)
        responder.hasRequestHandler = true
    }

    deinit {
        input.deallocate()
        output.deallocate()
    }

    /// Accepts the connections of `listener`. Call this on the loop's thread, or before the loop runs.
    func add(_ listener: StreamSocket) throws {
        try loop.watch(listener.descriptor, tag: Self.listenerBit | UInt32(listeners.count))
        listeners.append(listener)
    }

    func replace(_ engine: AnswerEngine) {
        responder.engine = engine
        requestHandler.replace(engine)
    }

    func replace(_ cookies: ServerCookies) { responder.cookies = cookies }

    // MARK: Calls from the loop

    func receive(_ datagram: ReceivedDatagram, on socket: DatagramSocket, at now: MonotonicInstant) {}

    func ready(_ tag: UInt32, at now: MonotonicInstant) {
        if tag & Self.listenerBit != 0 { return accept(listeners[Int(tag & ~Self.listenerBit)], at: now) }
        guard let connection = connection(tag) else { return }
        switch connection.state {
        case .idle, .reading: read(connection, at: now)
        case .writing: resume(connection, at: now)
        // Only the client's close can arrive in this state.
        case .planning: close(connection)
        }
    }

    func timerFired(at now: MonotonicInstant) {
        for (state, limit) in timed {
            while let first = queues[state.rawValue].first, first.since + limit <= now {
                count(state == .writing ? .stalled : .idled)
                close(first)
            }
        }
    }

    func wakeEnded(at now: MonotonicInstant) {
        var next: MonotonicInstant?
        for (state, limit) in timed {
            guard let first = queues[state.rawValue].first else { continue }
            next = min(next ?? first.since + limit, first.since + limit)
        }
        loop.nextWakeup = next
    }

    private var timed: [(TCPConnection.State, TimeSpan)] {
        [(.idle, limits.idleMax), (.reading, limits.messageMax), (.writing, limits.stallMax)]
    }

    // MARK: Connections

    private func accept(_ listener: StreamSocket, at now: MonotonicInstant) {
        for _ in 0..<Self.acceptsPerVisit {
            switch listener.accept() {
            case .none: return
            case .exhausted:
                // The listener stays readable until there is a descriptor for its next connection.
                count(.refused)
                guard evict() else { return }
            case .connection(let socket): begin(socket, at: now)
            }
        }
    }

    private func begin(_ socket: StreamSocket, at now: MonotonicInstant) {
        let client = Self.client(socket.endpoint.address)
        guard perClient[client, default: 0] < limits.perClientMax else { return count(.refused) }
        if open >= min(limits.connectionsMax, Self.slotsMax), !evict() { return count(.refused) }
        let slot = free.popLast() ?? slots.count
        if slot == slots.count {
            slots.append(nil)
            uses.append(0)
        }
        uses[slot] = (uses[slot] &+ 1) & 0x7fff
        let tag = UInt32(uses[slot]) << 16 | UInt32(slot)
        let address = socket.endpoint.address
        let connection = TCPConnection(
            socket: socket, tag: tag, isPrivileged: privileged.contains { $0.contains(address) }, at: now)
        guard (try? loop.watch(socket.descriptor, tag: tag)) != nil else {
            free.append(slot)
            return count(.refused)
        }
        slots[slot] = connection
        perClient[client, default: 0] += 1
        open += 1
        count(.accepted)
        queues[connection.state.rawValue].append(connection)
    }

    /// Closes the least useful connection: one whose message is incomplete, otherwise the one that has been idle
    /// longest. False if all are being served.
    private func evict() -> Bool {
        guard
            let spared = queues[TCPConnection.State.reading.rawValue].first
                ?? queues[TCPConnection.State.idle.rawValue].first
        else { return false }
        count(.evicted)
        close(spared)
        return true
    }

    func close(_ connection: TCPConnection) {
        let slot = Int(connection.tag & 0xffff)
        guard slots[slot] === connection else { return }
        if connection.state == .planning || connection.transfer != nil { endTransfer(connection, isWhole: false) }
        queues[connection.state.rawValue].remove(connection)
        bufferedBytes -= connection.bufferedBytes
        loop.unwatch(connection.socket.descriptor)
        let client = Self.client(connection.address)
        perClient[client, default: 1] -= 1
        if perClient[client] == 0 { perClient[client] = nil }
        slots[slot] = nil
        free.append(slot)
        open -= 1
    }

    func connection(_ tag: UInt32) -> TCPConnection? {
        let slot = Int(tag & 0xffff)
        guard slots.indices.contains(slot), let connection = slots[slot], connection.tag == tag else { return nil }
        return connection
    }

    /// The key of per-client limits: an IPv4 address, or the /64 prefix of an IPv6 address.
    private static func client(_ address: IPAddress) -> IPAddress {
        address.isV4 ? address : IPAddress(high: address.high, low: 0)
    }

    /// Enters a state and restarts its timer.
    func enter(_ state: TCPConnection.State, _ connection: TCPConnection, at now: MonotonicInstant) {
        queues[connection.state.rawValue].remove(connection)
        let isRead = connection.state == .idle || connection.state == .reading
        let reads = state == .idle || state == .reading
        if isRead != reads || connection.state == .planning || state == .planning {
            loop.expect(
                connection.socket.descriptor, tag: connection.tag, readable: reads, writable: state == .writing)
        }
        connection.state = state
        connection.since = now
        queues[state.rawValue].append(connection)
    }

    // MARK: Reading

    private func read(_ connection: TCPConnection, at now: MonotonicInstant) {
        let kept = connection.input.count
        connection.input.withUnsafeBytes { input.copyMemory(from: $0) }
        switch connection.socket.read(into: UnsafeMutableRawBufferPointer(rebasing: input[kept...])) {
        case .blocked: return
        case .ended, .failed: return close(connection)
        case .moved(let count):
            bufferedBytes -= kept
            connection.input.removeAll(keepingCapacity: false)
            answer(connection, UnsafeRawBufferPointer(rebasing: input[..<(kept + count)]), at: now)
        }
    }

    /// Processes the input that was kept while earlier answers or a transfer were being written.
    func goOn(_ connection: TCPConnection, at now: MonotonicInstant) {
        let bytes = connection.input
        bufferedBytes -= bytes.count
        connection.input.removeAll(keepingCapacity: false)
        bytes.withUnsafeBytes { answer(connection, $0, at: now) }
    }

    func count(_ counter: TCPCounter) { counts[counter, default: 0] &+= 1 }

    var counters: [String: UInt64] {
        var result = responder.counters(transport: "tcp")
        result.merge(counts.byName) { _, own in own }
        result["tcp_connections_open"] = UInt64(open)
        return result
    }
}

/// Outcomes of connections.
enum TCPCounter: String, CaseIterable {
    case accepted = "tcp_connections_accepted"
    /// Not served: the client had too many connections, all connections were being served, or the system had no
    /// resources (such as descriptors) for another one.
    case refused = "tcp_connections_refused"
    /// Closed to make room for another connection.
    case evicted = "tcp_connections_evicted"
    /// Closed because no complete query arrived in time.
    case idled = "tcp_connections_idled"
    /// Closed because the client did not read its answers.
    case stalled = "tcp_connections_stalled"
    /// Closed because too much data was buffered in all connections together.
    case overfull = "tcp_connections_overfull"
}
