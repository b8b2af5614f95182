import DequeModule
import NodeIdentity
import ReflectorModel
import RelayWire

/// What every part of a node may use. A part reads configuration, keys and random numbers from it, counts events in it,
/// and posts requests to the shell through it. A part gets it as its one `inout` argument and knows nothing else of the
/// node.
struct RelayContext: ~Copyable {
    let configuration: RelayConfiguration
    let id: NodeID
    let crypto: any PacketCrypto
    let handshakes: any LinkHandshakes
    /// Read by the status; `count` writes it.
    private(set) var counters = RelayCounters()
    /// Iterations of loops whose length others can influence. Tests check that each message causes only a limited
    /// number of them, which they could not do by measuring time.
    private(set) var work: UInt64 = 0
    /// Residence times of packets, over all streams.
    private(set) var residence = DelayBuckets()
    /// Number of our own address on which the current datagram arrived; 0 outside `receive`.
    private(set) var arrivedAt: UInt8 = 0

    /// Buffer for one packet that is being sealed or opened; its content is valid only during the call.
    let scratch: UnsafeMutableRawBufferPointer
    /// The same for a packet that is sealed again while its payload is still in `scratch`.
    let sealing: UnsafeMutableRawBufferPointer

    /// Only for jitter and tie-breaks; secrets come from `crypto`.
    private var random: SeededGenerator
    private var actions = Deque<RelayAction>()
    private var alarmCounts = AlarmCounts()
    private var spacings: [AlarmSpacing] = Array(
        repeating: AlarmSpacing(), count: AlarmTopic.allCases.count)

    /// Alarms of one topic have the minimum spacing of `AlarmSpacing`.
    enum AlarmTopic: Int, CaseIterable {
        /// The table of streams is full.
        case room
        /// A node's identity contradicts the zone.
        case identity
    }

    /// Maximum number of requests that wait for the shell.
    private static let actionsMax = 8_192

    init(
        configuration: RelayConfiguration, crypto: any PacketCrypto, handshakes: any LinkHandshakes, seed: UInt64
    ) {
        self.configuration = configuration
        self.crypto = crypto
        self.handshakes = handshakes
        id = NodeID(name: configuration.name)
        random = SeededGenerator(seed: seed)
        scratch = .allocate(byteCount: 2_048, alignment: 64)
        sealing = .allocate(byteCount: 2_048, alignment: 64)
    }

    deinit {
        scratch.deallocate()
        sealing.deallocate()
    }

    @inline(__always) mutating func count(_ counter: RelayCounter, _ amount: UInt64 = 1) {
        counters.add(counter, amount)
    }

    @inline(__always) mutating func noteWork(_ rounds: UInt64 = 1) { work &+= rounds }

    @inline(__always) mutating func noteResidence(_ span: TimeSpan, count: UInt64 = 1) {
        residence.note(span, count: count)
    }

    @inline(__always) mutating func begin(at local: UInt8) { arrivedAt = local }

    /// Posts a request to the shell. If too many wait already, it is dropped; a dropped look-up is repeated by its
    /// timer.
    mutating func post(_ action: RelayAction) {
        guard actions.count < Self.actionsMax else { return count(.droppedLookUpTableFull) }
        actions.append(action)
    }

    mutating func popAction() -> RelayAction? { actions.popFirst() }

    /// Counts an event that an attacker can cause at will. Returns the number of occurrences if an alarm is due now,
    /// else nil.
    mutating func isAlarmDue(_ kind: AlarmCounts.Kind, at now: MonotonicInstant) -> UInt64? {
        alarmCounts.note(kind, at: now)
    }

    /// Counts a control message that exceeds its link's rate limit, and raises an alarm now and then.
    mutating func noteFlood(from peer: String, _ endpoint: Endpoint, at now: MonotonicInstant) {
        count(.droppedControlFlood)
        if let count = isAlarmDue(.controlFlood, at: now) {
            post(.alarm(.controlFlood(count: count, peer: peer, endpoint)))
        }
    }

    /// Raises an alarm unless one of the same topic was raised recently.
    mutating func alarm(
        _ topic: AlarmTopic, _ alarm: @autoclosure () -> RelayAlarm, at now: MonotonicInstant
    ) {
        if spacings[topic.rawValue].isDue(at: now) { post(.alarm(alarm())) }
    }

    /// Provides the seeded generator, for jitter.
    mutating func withRandom<Result>(_ use: (inout SeededGenerator) -> Result) -> Result {
        use(&random)
    }

    /// A nonce that was never used before.
    func handshakeNonce() -> Nonce {
        var bytes = [UInt8](repeating: 0, count: NonceLength.length)
        bytes.withUnsafeMutableBytes { crypto.random(into: $0) }
        guard let nonce = Nonce(bytes) else { preconditionFailure("RelayContext: a nonce of the wrong length") }
        return nonce
    }

    /// An unpredictable number.
    func secret64() -> UInt64 {
        var value: UInt64 = 0
        withUnsafeMutableBytes(of: &value) { crypto.random(into: $0) }
        return value
    }
}
