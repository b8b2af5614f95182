import DequeModule
import ReflectorModel
import RelayWire

/// A node of the reflector network: entrypoint, set reflector or edge reflector, as one state machine without socket,
/// clock or randomness of its own. The daemons and the simulator run the same.
///
/// Datagrams and instants go in by `receive` and `handleTimeout`; datagrams come out by `transmit`, requests to the shell
/// by `nextAction`, and an edge's streams through its `StreamSink`. The owner calls again at `nextTimeout`. One event
/// loop owns a node.
///
/// A release build does without Swift's check at run time whether two accesses overlap (`hotPath` in Package.swift), which
/// cost a quarter of all our own code. None can: one loop owns the node, and no access to a property of it calls out of
/// the node while it lasts.
///
/// ```
/// receive ─▶ handshake ─▶ links ─▶ control ─▶ subscriptions, announcements, leases
///        └─▶ data ─▶ verify ─▶ log, gaps ─▶ children's queues ─▶ transmit
///                                      └─▶ delivery in order (edge) ─▶ StreamSink
/// ```
public final class RelayNode {
    public let configuration: RelayConfiguration
    public let id: NodeID
    public internal(set) var counters = RelayCounters()
    /// Rounds of loops whose length others can choose: what tests bound per message, as no clock could.
    var work: UInt64 = 0

    let crypto: any PacketCrypto
    weak var sink: (any StreamSink)?
    /// Jitter and tie breaks only; secrets come from `crypto`.
    var random: SeededGenerator
    let log: PacketLog
    let startedAt: MonotonicInstant

    var timers = TimerQueue()
    var nodeScheduled: MonotonicInstant = .distantFuture
    var lastHandled: MonotonicInstant
    /// Silence is not judged before this: the node itself has just woken late.
    var judgeSilenceFrom: MonotonicInstant = .zero

    var parentLinks = SlotTable<ParentLink>()
    var childLinks = SlotTable<ChildLink>()
    var streams = SlotTable<StreamState>()
    var linkByToken: [UInt64: LinkSlot] = [:]
    var parentByEndpoint: [Endpoint: Int] = [:]
    var childByEndpoint: [Endpoint: Int] = [:]
    var childReports = ReportTotals()
    /// How many links each address and each node has here, and which have lately been closed.
    var linkShares = LinkShares()
    var orders = OrderQueue()
    var alarmCounts = AlarmCounts()
    /// Child links whose entrypoint announces to us, in order of opening.
    var announcers: [Int] = []
    /// When incomplete lists of theirs are next looked for; nil if there is none.
    var announcementExpiry: MonotonicInstant?
    /// Streams that carried nothing when they were made, oldest first: whom a full table gives up (`RelayNode+Room`).
    var unproven = Deque<UnprovenStream>()
    var streamsMade: UInt64 = 0
    /// Edge: the streams that could not be had last, oldest first.
    var unavailable: [(name: StreamName, reason: UnavailableReason, at: MonotonicInstant)] = []
    /// When a full table of streams is told again.
    var roomAlarms = AlarmSpacing()
    /// When another node that is not what it says is told.
    var identityAlarms = AlarmSpacing()
    var streamByName: [StreamName: Int] = [:]
    var streamByTag: [IncarnationTag: Int] = [:]
    /// Slots of the link and the stream of the last packet: often they are the next one's too, and need no look-up.
    var lastLink = 0
    var lastStream = 0

    var directory: ParentDirectory
    var penalties = PenaltyTable()
    var addressOrder = AddressOrder()
    var workingAddresses = WorkingAddresses()
    /// Number of the own address at which the datagram in work came in; 0 beside `receive`.
    var arrivedAt: UInt8 = 0
    var nextSubscription: UInt32 = 1
    /// Entrypoint: raised with every change of what it announces.
    var announceVersion: UInt64 = 1
    var announceTargets: [HostAddresses] = []
    /// Of what is announced in this version; nil until it is asked for.
    var announceDigest: UInt64?
    var lastAnnounced: MonotonicInstant = .zero
    /// The list has changed since it was last sent.
    var owesAnnouncement = false
    /// When the names that an entrypoint's streams need were last marked as used.
    var originsUsedAt: MonotonicInstant?
    /// Bits a second that went out when it was last added up, and what has been admitted since.
    var egress = 0.0
    /// What of it are extra paths.
    var extraEgress = 0.0
    var egressCountedAt: MonotonicInstant?
    /// Bits a second of a copy of a stream, on average.
    var averageCopy = 0.0
    /// Extra paths are not looked for again until then.
    var shedNext = MonotonicInstant.zero
    var budget: EgressBudget
    /// The node is about to stop: it takes nothing new on (`drain`).
    var isDraining = false

    /// A stream was limited behind this node (`RelayNode+PathSize`); never false again.
    var limitsTold = false

    var actions = Deque<RelayAction>()
    var control: ControlQueue
    /// Slots of child links that have packets queued.
    var dirtyChildren: [Int] = []
    /// Of those, the ones whose burst in the flush under way is used up.
    var deferredChildren: [Int] = []
    /// When queued output must leave; distant when nothing waits.
    var flushAt: MonotonicInstant = .distantFuture
    var flushPace: FlushPace
    /// Slots of streams with live packets that wait for the flush.
    var waitingStreams: [Int] = []
    /// Of all streams.
    var residence = DelayBuckets()
    let makeMeasurements: (() -> any LinkMeasurements)?
    var linksMeasured = 0

    private let controlMemory: UnsafeMutableRawBufferPointer
    let scratch: UnsafeMutableRawBufferPointer

    /// - Parameters:
    ///   - seed: of jitter; random in a daemon, given in the simulator.
    ///   - sink: where an edge delivers. Held weakly.
    ///   - makeMeasurements: makes what keeps a link's measurements; without it they are not kept.
    public init(
        configuration: RelayConfiguration, crypto: any PacketCrypto, seed: UInt64, sink: (any StreamSink)?,
        makeMeasurements: (() -> any LinkMeasurements)? = nil, now: MonotonicInstant
    ) {
        self.configuration = configuration
        id = NodeID(name: configuration.name)
        self.crypto = crypto
        self.sink = sink
        self.makeMeasurements = makeMeasurements
        random = SeededGenerator(seed: seed)
        log = PacketLog(packetsMax: configuration.packetsMax, span: configuration.logSpan)
        startedAt = now
        lastHandled = now
        directory = ParentDirectory(countMax: configuration.lookUpsMax)
        controlMemory = .allocate(byteCount: configuration.controlBytesMax, alignment: 16)
        scratch = .allocate(byteCount: 2_048, alignment: 64)
        control = ControlQueue(memory: controlMemory)
        flushPace = FlushPace(interval: configuration.flushInterval)
        budget = EgressBudget(bitsPerSecond: configuration.capacity)
        if configuration.role == .entrypoint { scheduleNode(now) }
    }

    deinit {
        controlMemory.deallocate()
        scratch.deallocate()
    }

    /// Takes one datagram. Never traps, whatever the bytes: what is not understood or not authentic is counted by its
    /// reason and dropped.
    ///
    /// - Parameter local: number of the own address that it was sent to, as the owner gives it; answers leave from there
    ///   (`DatagramBatch.Entry.local`). 0 if there is only one.
    public func receive(
        _ datagram: UnsafeRawBufferPointer, from source: Endpoint, to local: UInt8 = 0, at now: MonotonicInstant
    ) {
        counters.add(.datagramsReceived)
        arrivedAt = local
        defer { arrivedAt = 0 }
        do throws(WireError) {
            switch try DatagramType.of(datagram) {
            case .data: try receiveData(datagram, from: source, at: now)
            case .control: try receiveControl(datagram, from: source, at: now)
            case .hello, .cookie, .open, .opened, .refused, .probe, .probeReport:
                try receiveHandshake(datagram, from: source, at: now)
            }
        } catch {
            counters.add(error == .badVersion ? .rejectedVersion : .rejectedMalformed)
        }
    }

    /// When `handleTimeout` or `transmit` is next due, if nothing arrives before. `.distantFuture` when idle.
    public var nextTimeout: MonotonicInstant {
        timers.dropStale(isCurrent)
        return min(timers.next, flushAt)
    }

    private func isCurrent(_ owner: TimerOwner, _ at: MonotonicInstant) -> Bool {
        switch owner {
        case .parentLink(let slot): parentLinks[slot]?.scheduled == at
        case .childLink(let slot): childLinks[slot]?.scheduled == at
        case .stream(let slot): streams[slot]?.scheduled == at
        case .node: nodeScheduled == at
        case .orders: orders.scheduled == at
        }
    }

    /// Runs every timer that is due.
    public func handleTimeout(at now: MonotonicInstant) {
        noteLateness(at: now)
        var budget = 100_000
        while budget > 0, let (owner, at) = timers.popDue(at: now) {
            budget -= 1
            switch owner {
            case .parentLink(let slot):
                guard let link = parentLinks[slot], link.scheduled == at else { continue }
                link.scheduled = .distantFuture
                handleTimer(of: link, at: now)
            case .childLink(let slot):
                guard let link = childLinks[slot], link.scheduled == at else { continue }
                link.scheduled = .distantFuture
                handleTimer(of: link, at: now)
            case .stream(let slot):
                guard let stream = streams[slot], stream.scheduled == at else { continue }
                stream.scheduled = .distantFuture
                handleTimer(of: stream, at: now)
            case .node:
                guard nodeScheduled == at else { continue }
                nodeScheduled = .distantFuture
                handleNodeTimer(at: now)
            case .orders:
                guard orders.scheduled == at else { continue }
                orders.scheduled = .distantFuture
                handleOrders(at: now)
            }
        }
    }

    /// The next request to the shell.
    public func nextAction() -> RelayAction? { actions.popFirst() }

    func post(_ action: RelayAction) {
        // Nobody needs the ten-thousandth alarm; a look-up dropped here is asked again by its timer.
        guard actions.count < 8_192 else { return counters.add(.droppedLookUpTableFull) }
        actions.append(action)
    }

    func random64() -> UInt64 {
        var value: UInt64 = 0
        withUnsafeMutableBytes(of: &value) { crypto.random(into: $0) }
        return value
    }

    // MARK: Timers

    func schedule(_ link: ParentLink, _ at: MonotonicInstant) {
        timers.schedule(.parentLink(link.slot), at: at, scheduled: &link.scheduled)
    }

    func schedule(_ link: ChildLink, _ at: MonotonicInstant) {
        timers.schedule(.childLink(link.slot), at: at, scheduled: &link.scheduled)
    }

    func schedule(_ stream: StreamState, _ at: MonotonicInstant) {
        timers.schedule(.stream(stream.slot), at: at, scheduled: &stream.scheduled)
    }

    func scheduleOrders(_ at: MonotonicInstant) {
        timers.schedule(.orders, at: at, scheduled: &orders.scheduled)
    }

    func scheduleNode(_ at: MonotonicInstant) {
        timers.schedule(.node, at: at, scheduled: &nodeScheduled)
    }

    /// After a pause of our own (> 20 ms), others' silence proves nothing: what they sent may still lie in the socket
    /// or be on its way (design §7).
    private func noteLateness(at now: MonotonicInstant) {
        timers.dropStale(isCurrent)
        let due = timers.next
        if due < now - .milliseconds(20) {
            counters.add(.lateWakeups)
            judgeSilenceFrom = now + .milliseconds(50)
        }
        lastHandled = now
    }
}

/// Which of our links a token is.
enum LinkSlot: Equatable {
    case parent(Int)
    case child(Int)
}

/// A table of objects by small stable numbers, walked in order of number.
struct SlotTable<Element: AnyObject> {
    private var elements: [Element?] = []
    private var free: [Int] = []
    private(set) var count = 0

    subscript(_ slot: Int) -> Element? { slot < elements.count ? elements[slot] : nil }

    /// Puts in what `make` builds for the slot it gets.
    mutating func insert(_ make: (Int) -> Element) -> Element {
        let slot = free.popLast() ?? elements.count
        if slot == elements.count { elements.append(nil) }
        let element = make(slot)
        elements[slot] = element
        count += 1
        return element
    }

    mutating func remove(_ slot: Int) {
        guard slot < elements.count, elements[slot] != nil else { return }
        elements[slot] = nil
        free.append(slot)
        count -= 1
    }

    /// As many as `count` from a slot on, and the slot of the next one after them, if there is one.
    func page(from first: Int, count: Int) -> (elements: [Element], next: Int?) {
        var found: [Element] = []
        var slot = max(first, 0)
        while slot < elements.count {
            if let element = elements[slot] {
                guard found.count < count else { return (found, slot) }
                found.append(element)
            }
            slot += 1
        }
        return (found, nil)
    }

    /// Everything in the table, by slot.
    var all: [Element] { elements.compactMap { $0 } }
}

/// Endpoints that failed as parents, and until when they are avoided: the time doubles with every failure and is
/// forgotten after a long time without.
struct PenaltyTable {
    private struct Entry {
        var until: MonotonicInstant
        var failures: Int
        /// Since when it has been well again.
        var wellSince: MonotonicInstant?
    }
    private var entries: [Endpoint: Entry] = [:]
    static let countMax = 1_024
    /// One that has been well this long starts anew with the first penalty.
    static let forgottenAfter: TimeSpan = .seconds(60)

    mutating func fail(_ endpoint: Endpoint, first: TimeSpan, most: TimeSpan, at now: MonotonicInstant) {
        if entries.count >= Self.countMax, entries[endpoint] == nil { entries.removeAll() }
        var before = entries[endpoint]?.failures ?? 0
        if let wellSince = entries[endpoint]?.wellSince, now - wellSince >= Self.forgottenAfter { before = 0 }
        let failures = min(before + 1, 16)
        let span = min(TimeSpan(nanoseconds: first.nanoseconds << Int64(failures - 1)), most)
        entries[endpoint] = Entry(until: now + span, failures: failures, wellSince: nil)
    }

    /// The link to it is alive (again).
    mutating func wellNow(_ endpoint: Endpoint, at now: MonotonicInstant) {
        if let entry = entries[endpoint], entry.wellSince == nil { entries[endpoint]?.wellSince = now }
    }

    func isAvoided(_ endpoint: Endpoint, at now: MonotonicInstant) -> Bool { avoidedUntil(endpoint, at: now) > now }

    /// `now` for one that is not avoided.
    func avoidedUntil(_ endpoint: Endpoint, at now: MonotonicInstant) -> MonotonicInstant {
        guard let entry = entries[endpoint], entry.wellSince == nil else { return now }
        return max(entry.until, now)
    }

    /// True if it never failed, or has been well for `span` since: good enough to return to.
    func isSteady(_ endpoint: Endpoint, for span: TimeSpan, at now: MonotonicInstant) -> Bool {
        guard let entry = entries[endpoint] else { return true }
        guard let since = entry.wellSince else { return false }
        return now - since >= span
    }
}
