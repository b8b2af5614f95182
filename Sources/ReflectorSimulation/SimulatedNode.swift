import ReflectorModel
import RelayCore

/// A host of the simulated network: a `RelayNode` while it is up, its socket, and what survives a restart.
final class SimulatedNode {
    let index: Int
    let host: Topology.Host
    private(set) var relay: RelayNode?
    private(set) var crypto: SimulatedCrypto?
    /// One for each life; what was meant for an earlier one is dropped.
    private(set) var life = 0
    let receiver: Receiver?
    var ledger = AddressLedger()
    var held = PossessionTable()
    /// The state file: last good answers, in order of first asking.
    private var remembered: [(name: ReflectorName, answer: LookUpAnswer)] = []

    /// When the node next wants to run.
    private(set) var wakeAt = MonotonicInstant.distantFuture
    /// Not scheduled by its machine before this; datagrams wait in `socket`.
    private(set) var pausedUntil = MonotonicInstant.zero
    private var socket: [(bytes: [UInt8], from: Endpoint)] = []
    static let socketMax = 2_048

    /// Wake-ups by timer since the last inspection.
    var wakes = 0
    /// Without links and streams at the last inspection.
    var wasIdle = false
    var wakesAtOnce = 0
    var lastWake = MonotonicInstant.zero
    var leavingSince: [StreamName: MonotonicInstant] = [:]
    private let isBusyLooping: Bool

    private let outbox: Outbox

    /// - Parameter batchMax: datagrams in one batch; small ones show whether half-drained queues lose anything.
    init(index: Int, host: Topology.Host, receiver: Receiver?, batchMax: Int, isBusyLooping: Bool) {
        self.index = index
        self.host = host
        self.receiver = receiver
        self.isBusyLooping = isBusyLooping
        outbox = Outbox(datagramsMax: batchMax, headerBytes: 32 * 1_500)
    }

    var isUp: Bool { relay != nil }

    func start(
        _ configuration: RelayConfiguration, crypto: SimulatedCrypto, seed: UInt64, at now: MonotonicInstant
    ) {
        life += 1
        ledger.reset()
        held.reset()
        leavingSince = [:]
        wasIdle = false
        self.crypto = crypto
        let relay = RelayNode(configuration: configuration, crypto: crypto, seed: seed, sink: receiver, now: now)
        for (name, answer) in remembered { relay.restore(name, answer, at: now) }
        self.relay = relay
        pausedUntil = now
        noteTimeout()
    }

    func crash() {
        life += 1
        relay = nil
        crypto = nil
        socket = []
        wakeAt = .distantFuture
    }

    func pause(until: MonotonicInstant) {
        guard isUp else { return }
        pausedUntil = max(pausedUntil, until)
        wakeAt = max(wakeAt, pausedUntil)
        if wakeAt == .distantFuture { wakeAt = pausedUntil }
    }

    func remember(_ name: ReflectorName, _ answer: LookUpAnswer) {
        if let index = remembered.firstIndex(where: { $0.name == name }) {
            remembered[index].answer = answer
        } else if remembered.count < 256 {
            remembered.append((name, answer))
        }
    }

    /// Hands a datagram to the node, or keeps it in the socket of one that sleeps. False if the socket is full.
    func receive(_ bytes: [UInt8], from: Endpoint, at now: MonotonicInstant) -> Bool {
        guard let relay else { return true }
        if now < pausedUntil {
            guard socket.count < Self.socketMax else { return false }
            socket.append((bytes, from))
            wakeAt = pausedUntil
            return true
        }
        bytes.withUnsafeBytes { relay.receive($0, from: from, at: now) }
        return true
    }

    /// Runs the node as its event loop would: first the socket, then the timers.
    func wake(at now: MonotonicInstant) {
        let waiting = socket
        socket = []
        for (bytes, from) in waiting { bytes.withUnsafeBytes { relay?.receive($0, from: from, at: now) } }
        relay?.handleTimeout(at: now)
    }

    /// Takes out everything that the node sends now.
    func drain(at now: MonotonicInstant, _ send: (DatagramBatch.Entry, UnsafeRawBufferPointer) -> Void) {
        if let relay { outbox.drain(relay, at: now, send) }
    }

    func noteTimeout() {
        guard let relay else { return }
        wakeAt = max(relay.nextTimeout, pausedUntil)
        if isBusyLooping { wakeAt = min(wakeAt, lastWake + .microseconds(50)) }
    }
}
