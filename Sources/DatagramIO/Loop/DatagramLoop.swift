import CDatagram
import Glibc
import ReflectorModel
import Synchronization

/// One event loop on one thread: sockets, a timer and a mailbox, over epoll. The loop has no logic of its own: a
/// `DatagramHandler` receives the datagrams and the timer. With nothing to receive and no timer set it never wakes.
///
///     let loop = try DatagramLoop()
///     let socket = try DatagramSocket(bind: endpoint)
///     try loop.add(socket)
///     try loop.start(handler: Node(loop, socket))   // or, on the caller's thread, try loop.run(handler:)
///
/// The order in every wake-up: sockets, then work from other threads, then the timer, then `wakeEnded`. After a late
/// wake-up (over `latenessMax`) sockets are drained in up to `lateVisitsMax` visits before the timer fires (design §7):
/// a machine that was suspended must not mistake its own pause for silence of its parents.
///
/// `@unchecked Sendable`: the mailbox, the stop flag and the thread's identity are behind a lock or atomics; all other
/// state is used only after `checkConfined` has succeeded, that is by the thread inside `run`, or by the thread that
/// sets up the loop before `run`.
public final class DatagramLoop: @unchecked Sendable {
    /// Settings that are fixed when the loop is created.
    public struct Options: Sendable {
        /// Maximum number of messages per recvmmsg or sendmmsg call.
        public var batch = 64
        /// Size of each receive buffer in bytes. Below 65,536 the loop's sockets do not use UDP_GRO.
        public var receiveBufferBytes = 65_536
        /// Maximum number of waiting work items from other threads.
        public var mailboxMax = 4_096
        /// How long to wait for more datagrams while wake-ups are close together; nil disables this. Under moderate
        /// load it halves the work at the cost of a negligible delay; sparse datagrams are not delayed.
        public var gathering: TimeSpan?
        /// Maximum number of sockets.
        public var socketsMax = 16_384
        public init() {}
    }

    /// If a timer is later than this, the sockets are drained before it fires.
    public static let latenessMax = TimeSpan.milliseconds(20)
    /// Maximum number of batches from one socket before others get their turn.
    static let batchesPerVisit = 4
    /// Maximum number of visits to all readable sockets before a late timer fires, in case traffic never stops.
    static let lateVisitsMax = 256

    let options: Options
    private let poll: Int32
    private let mailbox: LoopMailbox
    private let stopping = Atomic<Bool>(false)
    /// Identity of the thread inside `run`; 0 before and after.
    private let owner = Atomic<UInt>(0)
    private let ended: EndSignal = EndSignal()

    private var sockets: [DatagramSocket?] = []
    private var freeSlots: [Int] = []
    private let receiver: Receiver
    private let transmitter: Transmitter
    private let readable: UnsafeMutablePointer<UInt64>
    private static let readableMax = 256
    private static let mailboxKey = UInt64.max
    /// Set in the keys of watched descriptors, in addition to their tags.
    private static let watchedBit: UInt64 = 1 << 62
    /// Set by the shim in the key of a descriptor that has an error (CDG_POLL_ERROR).
    private static let errorBit: UInt64 = 1 << 61
    private var wakeup: MonotonicInstant?
    private var wakeupCount: UInt64 = 0
    private var gathering: ReceiveCoalescing?
    /// A socket has more datagrams waiting.
    private var isBacklogged = false

    public init(options: Options = Options()) throws(DatagramError) {
        self.options = options
        receiver = Receiver(batch: max(options.batch, 1), bufferBytes: max(options.receiveBufferBytes, 1))
        transmitter = Transmitter(batch: max(options.batch, 1))
        mailbox = try LoopMailbox(countMax: options.mailboxMax)
        poll = cdg_poll_create()
        guard poll >= 0 else { throw DatagramError(operation: "epoll_create1", code: -poll, subject: "loop") }
        readable = .allocate(capacity: Self.readableMax)
        gathering = options.gathering.map { ReceiveCoalescing(span: $0) }
        let code = cdg_poll_add(poll, mailbox.event, Self.mailboxKey)
        guard code == 0 else { throw DatagramError(operation: "epoll_ctl", code: -code, subject: "mailbox") }
    }

    deinit {
        readable.deallocate()
        cdg_close(poll)
    }

    // MARK: On the loop's thread, or before it runs

    /// Starts receiving from `socket`. Its datagrams go to the handler given to `run`.
    public func add(_ socket: DatagramSocket) throws(DatagramError) {
        checkConfined()
        precondition(socket.slot == nil, "DatagramLoop: socket added twice")
        guard sockets.count - freeSlots.count < options.socketsMax else {
            throw DatagramError(operation: "add", code: EMFILE, subject: socket.local.description)
        }
        if options.receiveBufferBytes < 65_536 { socket.disableReceiveOffload() }
        let slot = freeSlots.popLast() ?? sockets.count
        let code = cdg_poll_add(poll, socket.descriptor, UInt64(slot))
        guard code == 0 else {
            freeSlots.append(slot)
            if slot == sockets.count { sockets.append(nil) }
            throw DatagramError(operation: "epoll_ctl", code: -code, subject: socket.local.description)
        }
        if slot == sockets.count { sockets.append(socket) } else { sockets[slot] = socket }
        socket.slot = slot
        socket.transmitter = transmitter
    }

    /// Stops receiving from `socket`. It closes once the owner releases it too.
    public func remove(_ socket: DatagramSocket) {
        checkConfined()
        guard let slot = socket.slot, sockets[slot] === socket else { return }
        _ = cdg_poll_remove(poll, socket.descriptor)
        sockets[slot] = nil
        freeSlots.append(slot)
        socket.slot = nil
    }

    /// Calls the handler's `ready(tag)` when a descriptor is readable. The caller still owns the descriptor.
    public func watch(_ descriptor: Int32, tag: UInt32) throws(DatagramError) {
        checkConfined()
        let code = cdg_poll_add(poll, descriptor, Self.watchedBit | UInt64(tag))
        guard code == 0 else {
            throw DatagramError(operation: "epoll_ctl", code: -code, subject: "descriptor \(descriptor)")
        }
    }

    /// Selects the events of a watched descriptor that are reported. Errors and hang-ups are always reported.
    public func expect(_ descriptor: Int32, tag: UInt32, readable: Bool, writable: Bool) {
        checkConfined()
        let code = cdg_poll_change(poll, descriptor, Self.watchedBit | UInt64(tag), readable, writable)
        precondition(code == 0, "DatagramLoop: a descriptor that is not watched")
    }

    /// Stops watching a descriptor; call it before closing the descriptor.
    public func unwatch(_ descriptor: Int32) {
        checkConfined()
        _ = cdg_poll_remove(poll, descriptor)
    }

    /// The time of the next `timerFired` call; nil for never. The timer fires once, and the handler sets it again.
    public var nextWakeup: MonotonicInstant? {
        get {
            checkConfined()
            return wakeup
        }
        set {
            checkConfined()
            wakeup = newValue
        }
    }

    /// Number of wake-ups of the loop.
    public var wakeups: UInt64 {
        checkConfined()
        return wakeupCount
    }

    /// Runs the loop on the calling thread until `stop`. A loop runs once.
    public func run(handler: any DatagramHandler) {
        let (free, _) = owner.compareExchange(expected: 0, desired: cdg_thread(), ordering: .acquiringAndReleasing)
        precondition(free, "DatagramLoop: run twice at once")
        defer {
            mailbox.close()
            owner.store(0, ordering: .releasing)
            ended.raise()
        }
        while !stopping.load(ordering: .acquiring) { turn(handler) }
    }

    // MARK: From any thread

    /// CLOCK_MONOTONIC, read now.
    public var now: MonotonicInstant { Self.now }
    /// CLOCK_MONOTONIC, read now.
    public static var now: MonotonicInstant { MonotonicInstant(nanoseconds: cdg_now()) }

    /// True on the thread that runs this loop.
    public var isCurrent: Bool { owner.load(ordering: .relaxed) == cdg_thread() }

    /// Number of work items refused because `Options.mailboxMax` items were waiting.
    public var mailboxDropped: UInt64 { mailbox.dropped }

    /// Runs `work` on the loop's thread, soon and in order. False if it will not run: the loop has ended, or too much
    /// work is waiting (counted in `mailboxDropped`). Accepted work always runs.
    @discardableResult
    public func execute(_ work: @Sendable @escaping () -> Void) -> Bool { mailbox.put(work) }

    /// Runs `work` on the loop's thread and returns its result; nil if `execute` refused the work.
    public func query<Result: Sendable>(_ work: @Sendable @escaping () -> Result) async -> Result? {
        await withCheckedContinuation { continuation in
            if !execute({ continuation.resume(returning: work()) }) { continuation.resume(returning: nil) }
        }
    }

    /// Ends the loop after the wake-up in progress; work already accepted still runs.
    public func stop() {
        stopping.store(true, ordering: .releasing)
        mailbox.signal()
    }

    /// Blocks until `run` has returned. Do not call it on the loop's own thread.
    public func join() {
        precondition(!isCurrent, "DatagramLoop: joined from its own thread")
        ended.wait()
    }

    // MARK: One wake-up

    private func turn(_ handler: any DatagramHandler) {
        if gathering?.beginsWithSleep(nextTimer: wakeup) == true { cdg_sleep(gathering?.span.nanoseconds ?? 0) }
        var found = wait()
        wakeupCount &+= 1
        let start = gathering == nil ? .zero : now
        let receivedBefore = receiver.datagrams
        isBacklogged = false
        let late = wakeup.map { now - $0 > Self.latenessMax } ?? false
        if late { handler.wokeLate(at: now) }
        var visits = late ? Self.lateVisitsMax : 1
        var mail = false
        while found > 0 {
            for index in 0..<found {
                let key = readable[index]
                if key == Self.mailboxKey {
                    mail = true
                } else if key & Self.watchedBit != 0 {
                    handler.ready(UInt32(truncatingIfNeeded: key), at: now)
                } else {
                    visit(Int(key & ~Self.errorBit), hasErrors: key & Self.errorBit != 0, handler)
                }
            }
            visits -= 1
            guard visits > 0, !(found == 1 && mail) else { break }
            found = Int(cdg_poll_wait(poll, readable, UInt32(Self.readableMax), 0))
        }
        if mail { mailbox.runWaiting() }
        let judged = now
        if let due = wakeup, due <= judged {
            wakeup = nil
            handler.timerFired(at: judged)
        }
        handler.wakeEnded(at: now)
        gathering?.ended(
            start: start, end: now, datagrams: receiver.datagrams &- receivedBefore, isBacklogged: isBacklogged)
    }

    private func wait() -> Int {
        var nanoseconds: Int64 = -1
        if let wakeup { nanoseconds = max((wakeup - now).nanoseconds, 0) }
        let found = cdg_poll_wait(poll, readable, UInt32(Self.readableMax), nanoseconds)
        precondition(found >= 0, "epoll_wait: errno \(-found)")
        return Int(found)
    }

    private func visit(_ slot: Int, hasErrors: Bool, _ handler: any DatagramHandler) {
        // A handler may have removed the socket after epoll reported it, and another socket may use its slot: the
        // receive then finds nothing, which is harmless.
        guard sockets.indices.contains(slot), let socket = sockets[slot] else { return }
        var batches = Self.batchesPerVisit
        while batches > 0, receiver.receiveBatch(on: socket, handler: handler), socket.slot != nil { batches -= 1 }
        if batches == 0 { isBacklogged = true }
        if hasErrors, socket.slot != nil { receiver.receiveErrors(on: socket, handler: handler) }
    }

    private func checkConfined() {
        let thread = owner.load(ordering: .relaxed)
        precondition(thread == 0 || thread == cdg_thread(), "DatagramLoop: used off its thread")
    }
}
