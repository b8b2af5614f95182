import DequeModule
import ReflectorModel
import RelayWire

/// What every part of a node may use: its configuration, its keys and its random numbers to read; counters and requests
/// to the shell to write. A part gets it as its one `inout` argument and knows nothing else of the node.
struct RelayContext: ~Copyable {
    let configuration: RelayConfiguration
    let id: NodeID
    let crypto: any PacketCrypto
    /// Read by the status; `count` writes it.
    private(set) var counters = RelayCounters()
    /// Rounds of loops whose length others can choose. Tests bound it for each message, which no clock could.
    private(set) var work: UInt64 = 0
    /// How long packets stayed here, over all streams.
    private(set) var residence = DelayBuckets()
    /// Number of the own address at which the current datagram arrived; 0 outside `receive`.
    private(set) var arrivedAt: UInt8 = 0

    /// Room for one packet that is being sealed or opened; its content lasts no longer than the call.
    let scratch: UnsafeMutableRawBufferPointer

    /// Jitter and tie breaks only; secrets come from `crypto`.
    private var random: SeededGenerator
    private var actions = Deque<RelayAction>()
    private var alarmCounts = AlarmCounts()
    private var spacings: [AlarmSpacing] = Array(
        repeating: AlarmSpacing(), count: AlarmTopic.allCases.count)

    /// Alarms of one topic follow each other no closer than `AlarmSpacing` says.
    enum AlarmTopic: Int, CaseIterable {
        /// The table of streams is full.
        case room
        /// A node is not what it says.
        case identity
    }

    /// Most requests that wait for the shell.
    private static let actionsMax = 8_192

    init(configuration: RelayConfiguration, crypto: any PacketCrypto, seed: UInt64) {
        self.configuration = configuration
        self.crypto = crypto
        id = NodeID(name: configuration.name)
        random = SeededGenerator(seed: seed)
        scratch = .allocate(byteCount: 2_048, alignment: 64)
    }

    deinit { scratch.deallocate() }

    @inline(__always) mutating func count(_ counter: RelayCounter, _ amount: UInt64 = 1) {
        counters.add(counter, amount)
    }

    @inline(__always) mutating func noteWork(_ rounds: UInt64 = 1) { work &+= rounds }

    @inline(__always) mutating func noteResidence(_ span: TimeSpan, count: UInt64 = 1) {
        residence.note(span, count: count)
    }

    @inline(__always) mutating func begin(at local: UInt8) { arrivedAt = local }

    /// Asks the shell for something. Dropped when too many requests wait: the timer of a look-up asks again.
    mutating func post(_ action: RelayAction) {
        guard actions.count < Self.actionsMax else { return count(.droppedLookUpTableFull) }
        actions.append(action)
    }

    mutating func popAction() -> RelayAction? { actions.popFirst() }

    /// Counts something that an attacker can cause at will. Returns how often it happened if a person is to hear of it
    /// now, else nil.
    mutating func isAlarmDue(_ kind: AlarmCounts.Kind, at now: MonotonicInstant) -> UInt64? {
        alarmCounts.note(kind, at: now)
    }

    /// Counts a control message of a link that has used up what it may send, and raises an alarm now and then.
    mutating func noteFlood(from peer: String, _ endpoint: Endpoint, at now: MonotonicInstant) {
        count(.droppedControlFlood)
        if let count = isAlarmDue(.controlFlood, at: now) {
            post(.alarm(.controlFlood(count: count, peer: peer, endpoint)))
        }
    }

    /// Raises an alarm unless one of the same topic was raised a moment ago.
    mutating func alarm(
        _ topic: AlarmTopic, _ alarm: @autoclosure () -> RelayAlarm, at now: MonotonicInstant
    ) {
        if spacings[topic.rawValue].isDue(at: now) { post(.alarm(alarm())) }
    }

    /// For jitter: a number from the seeded generator.
    mutating func withRandom<Result>(_ use: (inout SeededGenerator) -> Result) -> Result {
        use(&random)
    }

    /// A number that nobody can guess.
    func secret64() -> UInt64 {
        var value: UInt64 = 0
        withUnsafeMutableBytes(of: &value) { crypto.random(into: $0) }
        return value
    }
}
