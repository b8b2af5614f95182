import DatagramIO
import ReflectorModel
import RelayWire

/// A stream in real time through a set reflector to its children, with the delay of each packet to each child.
final class LiveFeed: DatagramHandler {
    /// A packet that arrives later than this after it was sent is late.
    static let lateness = TimeSpan.milliseconds(20)
    /// Packets whose times are remembered.
    private static let memory = 1 << 17

    /// What arrived of the packets of one measurement.
    struct Outcome: Sendable {
        /// Packets sent, times children.
        var expected = 0
        var received = 0
        var late = 0
        var delayMax = TimeSpan.zero
        /// Counts of delays in steps of 0.1 ms.
        var delays = [Int](repeating: 0, count: 10_000)
        /// Longest delay of the feed itself: a stall of the machine, not of the parent.
        var stallMax = TimeSpan.zero

        var lost: Int { expected - received }

        /// The delay in milliseconds that this share of the packets does not exceed.
        func delay(share: Double) -> Double {
            var left = Int(Double(received) * share)
            let index = delays.firstIndex { count in
                left -= count
                return left <= 0
            }
            return Double((index ?? delays.count) + 1) / 10
        }
    }

    private let loop: DatagramLoop
    let feed: RelayFeed
    private let children: Int
    private let interval: TimeSpan
    private var nextPacket: MonotonicInstant
    private var sentAt = [MonotonicInstant](repeating: .zero, count: LiveFeed.memory)
    private var measured: ClosedRange<UInt64>?
    private var isMeasuring = false
    private var outcome = Outcome()
    /// When one more child had a link, and when one more received packets, since the restart.
    private var servedAt: [MonotonicInstant] = []
    private var openedAt: [MonotonicInstant] = []
    private var restartedAt: MonotonicInstant?

    init(loop: DatagramLoop, feed: RelayFeed, children: Int, rate: Double) {
        self.loop = loop
        self.feed = feed
        self.children = children
        interval = TimeSpan(nanoseconds: Int64(1e9 / rate))
        nextPacket = loop.now
        loop.nextWakeup = nextPacket
    }

    func receive(_ datagram: ReceivedDatagram, on socket: DatagramSocket, at now: MonotonicInstant) {
        guard feed.receive(datagram, on: socket, at: now), let measured,
            let header = try? DataHeader(parsing: UnsafeRawBufferPointer(datagram.bytes)),
            measured.contains(header.sequence.rawValue)
        else { return }
        let delay = max(now - sentAt[Int(header.sequence.rawValue) % Self.memory], .zero)
        outcome.received += 1
        if delay > Self.lateness { outcome.late += 1 }
        outcome.delayMax = max(outcome.delayMax, delay)
        outcome.delays[min(Int(delay.nanoseconds / 100_000), outcome.delays.count - 1)] += 1
    }

    func batchEnded(on socket: DatagramSocket, at now: MonotonicInstant) {
        feed.flush(at: now)
        sendDue(at: loop.now)
    }

    func timerFired(at now: MonotonicInstant) {
        if feed.nextTimeout <= now { feed.timerFired(at: now) }
    }

    func wakeEnded(at now: MonotonicInstant) {
        feed.flush(at: now)
        sendDue(at: loop.now)
        noteProgress(at: now)
        loop.nextWakeup = min(nextPacket, feed.nextTimeout)
    }

    private func sendDue(at now: MonotonicInstant) {
        // An encoder that was delayed for long does not catch up in one burst.
        if now - nextPacket > .milliseconds(20) { nextPacket = now }
        while nextPacket <= now {
            outcome.stallMax = max(outcome.stallMax, now - nextPacket)
            feed.emit(1, at: now)
            let sequence = feed.newestSequence
            sentAt[Int(sequence) % Self.memory] = now
            if isMeasuring {
                measured = (measured?.lowerBound ?? sequence)...sequence
                outcome.expected += children
            }
            nextPacket = nextPacket + interval
        }
    }

    // MARK: Measuring

    func begin() { (isMeasuring, measured, outcome) = (true, nil, Outcome()) }

    /// Packets sent from now on do not count; those sent before still may arrive.
    func mark() { isMeasuring = false }

    func finish() -> Outcome {
        measured = nil
        return outcome
    }

    func restartChildren() {
        (servedAt, openedAt, restartedAt) = ([], [], loop.now)
        feed.restartChildren(at: loop.now)
    }

    private func noteProgress(at now: MonotonicInstant) {
        guard restartedAt != nil, servedAt.count < children else { return }
        for _ in openedAt.count..<max(feed.opened, openedAt.count) { openedAt.append(now) }
        for _ in servedAt.count..<max(feed.served, servedAt.count) { servedAt.append(now) }
    }

    /// Time from the restart until so many children had a link, and until so many received packets; nil: not yet.
    func time(untilOpened count: Int) -> TimeSpan? { time(of: count, in: openedAt) }
    func time(untilServed count: Int) -> TimeSpan? { time(of: count, in: servedAt) }

    private func time(of count: Int, in times: [MonotonicInstant]) -> TimeSpan? {
        guard let restartedAt, count > 0, times.count >= count else { return nil }
        return times[count - 1] - restartedAt
    }
}
