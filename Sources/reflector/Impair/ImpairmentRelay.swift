import DatagramIO
import Foundation
import ReflectorModel
import ReflectorSimulation

/// Forwards datagrams between clients and targets over impaired links, like a NAT.
///
///     client ──▶ listening socket ──▶ LinkImpairment (up)   ──▶ DepartureQueue ──▶ the client's own socket ──▶ target
///     client ◀── listening socket ◀── DepartureQueue ◀── LinkImpairment (down) ◀── the client's own socket ◀── target
final class ImpairmentRelay: DatagramHandler {
    /// One listening address and its target.
    struct Mapping: Sendable {
        var listen: Endpoint
        var target: Endpoint
    }

    /// Most clients at a time; each needs a descriptor.
    static let clientsMax = 512
    /// When the table is full, a client that was silent for this long is evicted for a new one.
    static let clientIdle = TimeSpan.seconds(30)
    /// Most datagrams in one send.
    private static let batchMax = 256
    /// Datagrams of at least this length count as stream packets, shorter ones as control traffic.
    private static let largeBytesMin = 1_000

    private struct ClientKey: Hashable {
        var mapping: Int
        var endpoint: Endpoint
    }

    private final class Client {
        let key: ClientKey
        let socket: DatagramSocket
        var up: LinkImpairment
        var down: LinkImpairment
        var lastSeen: MonotonicInstant

        init(key: ClientKey, socket: DatagramSocket, up: LinkImpairment, down: LinkImpairment, now: MonotonicInstant) {
            self.key = key
            self.socket = socket
            self.up = up
            self.down = down
            lastSeen = now
        }
    }

    private let loop: DatagramLoop
    private let bind: IPAddress?
    private let up: ImpairmentOptions
    private let down: ImpairmentOptions
    private let traceUp: ImpairmentTrace?
    private let traceDown: ImpairmentTrace?
    /// A trace's time zero: the same for all clients.
    private let started = DatagramLoop.now
    private let seed: UInt64
    private var mappings: [Mapping] = []
    private var listeners: [DatagramSocket] = []
    private var clients: [ClientKey: Client] = [:]
    /// The client of each upstream socket, by `tag − 1`; listening sockets have tags −1, −2, ….
    private var clientOfTag: [Client?] = []
    private var freeTags: [Int] = []
    private var queue = DepartureQueue()
    private var batch: DatagramBatch
    private let noHeaders = UnsafeMutableRawBufferPointer.allocate(byteCount: 1, alignment: 1)
    private var leaving: [UnsafeMutableRawBufferPointer] = []
    private var nextEviction = MonotonicInstant.zero
    /// Counts of evicted clients, and those that are not kept for each client.
    private var past = Report()

    /// - Parameters:
    ///   - bind: source address towards targets; nil: that of the listening socket.
    ///   - traceUp: how `up` changes from now on, for all clients at the same instants.
    ///   - seed: each link's seed is derived from it and from the order of the clients.
    init(
        loop: DatagramLoop, bind: IPAddress?, up: ImpairmentOptions, down: ImpairmentOptions,
        traceUp: ImpairmentTrace? = nil, traceDown: ImpairmentTrace? = nil, seed: UInt64
    ) {
        self.traceUp = traceUp
        self.traceDown = traceDown
        self.loop = loop
        self.bind = bind
        self.up = up
        self.down = down
        self.seed = seed
        batch = DatagramBatch(countMax: Self.batchMax, headers: noHeaders)
    }

    deinit { noHeaders.deallocate() }

    /// Opens a listening socket. Returns the bound address.
    func listen(_ mapping: Mapping) throws(DatagramError) -> Endpoint {
        let socket = try DatagramSocket(bind: mapping.listen)
        try loop.add(socket)
        mappings.append(mapping)
        listeners.append(socket)
        socket.tag = -mappings.count
        return socket.local
    }

    // MARK: DatagramHandler

    func receive(_ datagram: ReceivedDatagram, on socket: DatagramSocket, at now: MonotonicInstant) {
        if socket.tag < 0 {
            let mapping = -socket.tag - 1
            guard let client = client(ClientKey(mapping: mapping, endpoint: datagram.source), at: now) else { return }
            client.lastSeen = now
            if datagram.bytes.count >= Self.largeBytesMin { past.largeUp &+= 1 }
            let verdict = client.up.admit(bytes: datagram.bytes.count, at: now)
            depart(datagram.bytes, verdict, on: client.socket, to: mappings[mapping].target)
        } else if let client = clientOfTag[socket.tag - 1] {
            guard datagram.source == mappings[client.key.mapping].target else {
                past.strangers &+= 1
                return
            }
            if datagram.bytes.count >= Self.largeBytesMin { past.largeDown &+= 1 }
            let verdict = client.down.admit(bytes: datagram.bytes.count, at: now)
            depart(datagram.bytes, verdict, on: listeners[client.key.mapping], to: client.key.endpoint)
        }
    }

    func batchEnded(on socket: DatagramSocket, at now: MonotonicInstant) { sendDue(at: now) }

    func wakeEnded(at now: MonotonicInstant) {
        sendDue(at: now)
        loop.nextWakeup = queue.next
    }

    // MARK: Clients

    private func client(_ key: ClientKey, at now: MonotonicInstant) -> Client? {
        if let client = clients[key] { return client }
        if clients.count >= Self.clientsMax { evict(at: now) }
        guard clients.count < Self.clientsMax else {
            past.clientsRefused &+= 1
            return nil
        }
        let address = bind ?? mappings[key.mapping].listen.address
        guard let socket = try? DatagramSocket(bind: Endpoint(address: address, port: 0)),
            (try? loop.add(socket)) != nil
        else {
            past.clientsRefused &+= 1
            return nil
        }
        let link = FixedHash.combine(seed, past.clients)
        past.clients &+= 1
        let client = Client(
            key: key, socket: socket,
            up: LinkImpairment(up, trace: traceUp, origin: started, seed: FixedHash.combine(link, 1)),
            down: LinkImpairment(down, trace: traceDown, origin: started, seed: FixedHash.combine(link, 2)), now: now)
        let slot = freeTags.popLast() ?? clientOfTag.count
        if slot == clientOfTag.count { clientOfTag.append(client) } else { clientOfTag[slot] = client }
        socket.tag = slot + 1
        clients[key] = client
        return client
    }

    /// Makes room by evicting idle clients; at most once a second, so that a flood of new clients stays cheap.
    private func evict(at now: MonotonicInstant) {
        guard now >= nextEviction else { return }
        nextEviction = now + .seconds(1)
        for client in Array(clients.values) where now - client.lastSeen > Self.clientIdle {
            past.add(client.up.counts, client.down.counts, unsent: client.socket.statistics.datagramsUnsent)
            loop.remove(client.socket)
            clients[client.key] = nil
            clientOfTag[client.socket.tag - 1] = nil
            freeTags.append(client.socket.tag - 1)
        }
    }

    // MARK: Departures

    private func depart(
        _ bytes: UnsafeMutableRawBufferPointer, _ verdict: LinkImpairment.Verdict, on socket: DatagramSocket,
        to destination: Endpoint
    ) {
        guard case .departs(let at, let copyAt) = verdict else { return }
        queue.add(bytes, at: at, on: socket, to: destination)
        if let copyAt { queue.add(bytes, at: copyAt, on: socket, to: destination) }
    }

    /// Sends all due datagrams; consecutive ones of one socket in one batch.
    private func sendDue(at now: MonotonicInstant) {
        var socket: DatagramSocket?
        while let departure = queue.takeDue(at: now) {
            if departure.socket !== socket || !batch.hasRoom(headerLength: 0) { flush(socket) }
            socket = departure.socket
            batch.append(
                to: departure.destination, headerLengthMax: 0, body: UnsafeRawBufferPointer(departure.bytes)
            ) { _ in 0 }
            leaving.append(departure.bytes)
            past.forwarded &+= 1
        }
        flush(socket)
    }

    private func flush(_ socket: DatagramSocket?) {
        socket?.send(batch)
        batch.removeAll()
        for bytes in leaving { bytes.deallocate() }
        leaving.removeAll(keepingCapacity: true)
    }

    // MARK: Statistics

    /// The statistics so far.
    var report: Report {
        var report = past
        for client in clients.values {
            report.add(client.up.counts, client.down.counts, unsent: client.socket.statistics.datagramsUnsent)
        }
        for socket in listeners { report.unsent &+= socket.statistics.datagramsUnsent }
        report.inFlight = queue.count
        report.delayQueueFull = queue.refused
        return report
    }

    struct Report: Sendable, Codable {
        var up = LinkImpairment.Counts()
        var down = LinkImpairment.Counts()
        var forwarded: UInt64 = 0
        /// Datagrams of at least 1,000 bytes that came from clients, and from targets, lost ones included.
        var largeUp: UInt64 = 0
        var largeDown: UInt64 = 0
        var clients: UInt64 = 0
        var clientsRefused: UInt64 = 0
        /// Datagrams to a client's socket from a sender other than the target.
        var strangers: UInt64 = 0
        var delayQueueFull: UInt64 = 0
        var inFlight = 0
        /// Datagrams that the kernel refused to send.
        var unsent: UInt64 = 0

        mutating func add(_ up: LinkImpairment.Counts, _ down: LinkImpairment.Counts, unsent: UInt64) {
            self.up += up
            self.down += down
            self.unsent &+= unsent
        }

        /// One line of JSON, keys in order.
        var line: Data {
            get throws {
                let encoder = JSONEncoder()
                encoder.outputFormatting = .sortedKeys
                return try encoder.encode(self) + Data("\n".utf8)
            }
        }
    }
}
