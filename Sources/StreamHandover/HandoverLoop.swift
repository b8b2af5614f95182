import DatagramIO
import Logging
import ReflectorModel
import StreamingServer

/// A request for a stream, from any kind of hook.
struct HandoverOrder: Sendable {
    var stream: StreamName
    var requester: Requester
    /// The destination that it names; nil for the stream's group.
    var wanted: Endpoint?
    /// The family of the group; nil for the usual one.
    var isV4: Bool?
    /// How long it is in force.
    var lifetime: TimeSpan
}

/// Sends streams over UDP from a thread of its own. Every `turn` it takes what the hub has got, and sends it within the
/// limits. Without outputs and requests it never wakes.
final class HandoverLoop: DatagramHandler {
    /// How a requested output fares.
    enum Progress: Equatable {
        case flowing
        case waiting
        /// The request is no longer in force: the network does not have the stream, for this reason.
        case absent(String)
    }

    /// Time between two turns while anything flows: datagrams leave as evenly as this.
    private static let turn = TimeSpan.milliseconds(5)
    /// The same while outputs wait for their streams.
    private static let idleTurn = TimeSpan.milliseconds(20)
    private static let expiryInterval = TimeSpan.seconds(1)
    /// Time between two attempts to open a socket whose sends fail.
    private static let reopenInterval = TimeSpan.seconds(1)
    /// Datagrams in one system call.
    private static let batchMax = 64
    /// All outputs together may send this far ahead of their rate at once: two turns.
    private static let burst = TimeSpan.milliseconds(10)
    /// Reasons kept for requests that wait for the first byte.
    private static let absencesMax = 64

    private let loop: DatagramLoop
    private let hub: LiveStreamHub
    private let configuration: HandoverConfiguration
    private let rules: DestinationRules
    private let counters: HandoverCounters
    private let logger: Logger
    private var requests: RequestTable
    /// At most `outputsMax`, in order of their beginning.
    private var outputs: [UDPOutput] = []
    /// The output that sends first in the next turn.
    private var first = 0
    private var absences: [(stream: StreamName, reason: String)] = []
    private var sockets = GroupSockets()
    private var budget: SendBudget
    private var batch: DatagramBatch
    private let memory: UnsafeMutableRawBufferPointer
    private var expiryAt: MonotonicInstant?
    private var reopenAt = MonotonicInstant.zero

    /// - Throws: `DatagramError` if an interface does not exist.
    init(
        loop: DatagramLoop, hub: LiveStreamHub, configuration: HandoverConfiguration, counters: HandoverCounters,
        logger: Logger
    ) throws(DatagramError) {
        self.loop = loop
        self.hub = hub
        self.configuration = configuration
        self.counters = counters
        self.logger = logger
        rules = DestinationRules(configuration)
        requests = RequestTable(
            requestsMax: configuration.requestsMax, requestsPerServerMax: configuration.requestsPerServerMax)
        budget = SendBudget(bitsPerSecond: configuration.rateMax, burst: Self.burst, at: loop.now)
        for group in configuration.groups {
            _ = try sockets.socket(for: Destination(endpoint: group.endpoint, group: group.sending))
        }
        for range in configuration.ranges {
            guard let address = range.block.address(at: 0) else { continue }
            let endpoint = Endpoint(address: address, port: range.port)
            _ = try sockets.socket(for: Destination(endpoint: endpoint, group: range.sending))
        }
        memory = .allocate(byteCount: Self.batchMax * DatagramPacker.lengthMax, alignment: 16)
        batch = DatagramBatch(countMax: Self.batchMax, headers: memory)
    }

    deinit { memory.deallocate() }

    // MARK: Requests

    /// Adds or renews a request. Returns its destination.
    func ask(_ order: HandoverOrder, at now: MonotonicInstant) throws(HandoverRefusal) -> Destination {
        let found = try rules.destination(of: order.stream, wanted: order.wanted, isV4: order.isV4) { endpoint in
            requests.stream(at: endpoint)
        }
        let endpoint = found.destination.endpoint
        let isNew = requests.stream(at: endpoint) == nil
        if isNew {
            guard hub.admitsName(order.stream, of: order.requester.server) else { throw .tooManyNames }
            try makeRoom(at: now)
        }
        switch try requests.ask(order.stream, at: endpoint, by: order.requester, until: now + order.lifetime) {
        case .renewed: counters.count(.renewed)
        case .joined: counters.count(.requests)
        case .begun:
            counters.count(.requests)
            counters.count(.begun)
            if found.isCollision { counters.count(.collisions) }
            outputs.append(
                UDPOutput(
                    order.stream, to: found.destination, for: order.requester.server,
                    rateMax: configuration.rateOfOutputMax, at: now))
            absences.removeAll { $0.stream == order.stream }
            logger.info(
                "output begins",
                metadata: [
                    "stream": "\(order.stream)", "to": "\(found.destination.url)",
                    "server": "\(order.requester.server)",
                ])
        }
        return found.destination
    }

    /// Ends one or all outputs of a stream for a requester. Returns how many requests this were.
    func withdraw(_ stream: StreamName, at destination: Endpoint?, by requester: Requester) -> Int {
        let (count, ended) = requests.withdraw(stream, at: destination, by: requester)
        finish(ended, count, .withdrawn)
        return count
    }

    /// Ends all requests of a requester that has left.
    func withdrawAll(of requester: Requester) -> Int {
        let (count, ended) = requests.withdrawAll(of: requester)
        finish(ended, count, .withdrawn)
        return count
    }

    /// A server reports that it is alive: all requests of its viewers continue.
    func renewAll(of server: IPAddress, prefix: String, at now: MonotonicInstant) -> Int {
        let count = requests.renewAll(of: server, prefix: prefix, until: now + configuration.lifetime)
        counters.count(.renewed, UInt64(count))
        return count
    }

    func progress(of stream: StreamName, at destination: Endpoint) -> Progress {
        if let output = outputs.first(where: { $0.stream == stream && $0.destination.endpoint == destination }) {
            return output.state == .flowing ? .flowing : .waiting
        }
        return .absent(absences.last { $0.stream == stream }?.reason ?? "the request has ended")
    }

    func status(at now: MonotonicInstant) -> [OutputStatus] {
        outputs.map { $0.status(requests: requests.requests(for: $0.destination.endpoint), at: now) }
            .sorted { ($0.stream, $0.address) < ($1.stream, $1.address) }
    }

    /// Ends the oldest output that has not sent anything, if the maximum number of outputs is reached.
    private func makeRoom(at now: MonotonicInstant) throws(HandoverRefusal) {
        guard outputs.count >= configuration.outputsMax else { return }
        guard let oldest = outputs.first(where: { $0.state == .waiting }) else { throw .tooManyOutputs }
        requests.end(oldest.destination.endpoint)
        counters.count(.evicted)
        remove([oldest.destination.endpoint], because: "another stream needs its place")
    }

    private func finish(_ ended: [Endpoint], _ count: Int, _ counter: HandoverCounter) {
        counters.count(counter, UInt64(count))
        remove(ended, because: counter == .expired ? "requests not renewed" : "requests withdrawn")
    }

    private func remove(_ places: [Endpoint], because reason: String) {
        guard !places.isEmpty else { return }
        for output in outputs where places.contains(output.destination.endpoint) {
            counters.count(.ended)
            logger.info(
                "output ends",
                metadata: ["stream": "\(output.stream)", "to": "\(output.destination.url)", "reason": "\(reason)"])
        }
        outputs.removeAll { places.contains($0.destination.endpoint) }
    }

    // MARK: The loop

    func receive(_ datagram: ReceivedDatagram, on socket: DatagramSocket, at now: MonotonicInstant) {}

    func timerFired(at now: MonotonicInstant) {
        if let expiryAt, expiryAt <= now {
            self.expiryAt = nil
            let (count, ended) = requests.expire(at: now)
            finish(ended, count, .expired)
        }
        sendDue(at: now)
    }

    func wakeEnded(at now: MonotonicInstant) {
        guard !outputs.isEmpty else {
            expiryAt = nil
            return loop.nextWakeup = nil
        }
        let expiry = expiryAt ?? now + Self.expiryInterval
        expiryAt = expiry
        let next = now + (outputs.contains { $0.state == .flowing } ? Self.turn : Self.idleTurn)
        // A wake-up between two turns, for a request, does not delay the next turn.
        loop.nextWakeup = min(expiry, min(loop.nextWakeup ?? next, next))
    }

    private func sendDue(at now: MonotonicInstant) {
        budget.refill(at: now)
        var absent: [(UDPOutput, String)] = []
        var (socket, isHeldBack) = (DatagramSocket?.none, false)
        first = outputs.isEmpty ? 0 : (first + 1) % outputs.count
        for place in outputs.indices {
            let index = (first + place) % outputs.count
            switch outputs[index].read(from: hub, at: now) {
            case .nothing: break
            case .began: hub.refundName(of: outputs[index].payer)
            case .absent(let reason): absent.append((outputs[index], reason))
            }
            guard let own = socketNow(for: outputs[index].destination, at: now) else {
                outputs[index].discard()
                continue
            }
            if let socket, socket !== own { flush(socket, at: now) }
            socket = own
            repeat {
                if !batch.hasRoom(headerLength: DatagramPacker.lengthMax) { flush(own, at: now) }
                isHeldBack = outputs[index].send(into: &batch, within: &budget, at: now) || isHeldBack
            } while !batch.hasRoom(headerLength: DatagramPacker.lengthMax)
            let losses = outputs[index].takeLosses()
            counters.count(.skips, losses.skips)
            counters.count(.bytesSkipped, losses.bytes)
        }
        if let socket { flush(socket, at: now) }
        if isHeldBack { counters.count(.throttled) }
        for (output, reason) in absent { end(output, reason) }
    }

    /// Nil while its interface does not exist.
    private func socketNow(for destination: Destination, at now: MonotonicInstant) -> DatagramSocket? {
        if let socket = sockets.open(for: destination) { return socket }
        guard now >= reopenAt else { return nil }
        do throws(DatagramError) {
            return try sockets.socket(for: destination)
        } catch {
            reopenAt = now + Self.reopenInterval
            counters.count(.sendFailures)
            logger.warning("output not sent", metadata: ["to": "\(destination.url)", "problem": "\(error)"])
            return nil
        }
    }

    private func end(_ output: UDPOutput, _ reason: String) {
        counters.count(.absent)
        if absences.count >= Self.absencesMax { absences.removeFirst() }
        absences.append((output.stream, reason))
        requests.end(output.destination.endpoint)
        remove([output.destination.endpoint], because: reason)
    }

    private func flush(_ socket: DatagramSocket, at now: MonotonicInstant) {
        guard !batch.isEmpty else { return }
        let before = socket.statistics
        socket.send(batch)
        batch.removeAll()
        counters.count(.datagrams, socket.statistics.datagramsSent &- before.datagramsSent)
        counters.count(.bytes, socket.statistics.bytesSent &- before.bytesSent)
        let failures = socket.statistics.sendFailuresTotal &- before.sendFailuresTotal
        guard failures > 0, let failure = socket.lastFailure else { return }
        counters.count(.sendFailures, failures)
        for index in outputs.indices where outputs[index].destination.endpoint == failure.destination {
            outputs[index].noteSendFailures(failures)
            guard now >= reopenAt else { continue }
            reopenAt = now + Self.reopenInterval
            logger.warning("output not sent", metadata: ["problem": "\(failure)"])
            sockets.reopen(outputs[index].destination)
        }
    }
}
