import DatagramIO
import ReflectorModel

/// The packets that a load sends to a forwarder, and how it recognises them in the output.
protocol LoadFeed: AnyObject {
    /// True when everything is set up and packets flow to every child.
    var isReady: Bool { get }
    /// When `timerFired` must be called next.
    var nextTimeout: MonotonicInstant { get }
    /// Processes a datagram. True if it is a packet that the forwarder has forwarded.
    func receive(_ datagram: ReceivedDatagram, on socket: DatagramSocket, at now: MonotonicInstant) -> Bool
    /// Sends packets to the forwarder, back to back.
    func emit(_ count: Int, at now: MonotonicInstant)
    func timerFired(at now: MonotonicInstant)
    /// Sends the output that `receive` and `timerFired` have created.
    func flush(at now: MonotonicInstant)
}

/// Sends packets at an even rate, alone or in bursts, and, when everything is set up and warm, measures the CPU time of
/// the forwarder's processes for a while.
final class LoadRun: DatagramHandler {
    struct Plan {
        /// Packets a second to the forwarder.
        var rate: Double
        /// Packets sent back to back.
        var burst: Int
        var seconds: Double
        /// Long enough for a relay's ring to wrap once: before that, each packet is written to new memory.
        var warmUpSeconds = 7.0
        var setUpSecondsMax = 30.0
    }

    private enum Phase {
        case settingUp(until: MonotonicInstant)
        case warming(until: MonotonicInstant)
        case measuring(since: MonotonicInstant, until: MonotonicInstant, before: ProcessClock.Reading)
        case ended
    }

    private let loop: DatagramLoop
    private let feed: any LoadFeed
    private let plan: Plan
    private let clock: ProcessClock
    private var phase: Phase
    private var nextBurst: MonotonicInstant
    private let interval: TimeSpan
    private var received: UInt64 = 0
    private var sent: UInt64 = 0
    /// Nil if the set-up never completed, or a forwarder ended.
    private(set) var report: LoadReport?

    init(loop: DatagramLoop, feed: any LoadFeed, plan: Plan, clock: ProcessClock) {
        self.loop = loop
        self.feed = feed
        self.plan = plan
        self.clock = clock
        let now = loop.now
        phase = .settingUp(until: now + Self.span(plan.setUpSecondsMax))
        interval = Self.span(Double(plan.burst) / plan.rate)
        nextBurst = now
        loop.nextWakeup = now
    }

    func receive(_ datagram: ReceivedDatagram, on socket: DatagramSocket, at now: MonotonicInstant) {
        if feed.receive(datagram, on: socket, at: now) { received += 1 }
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
        sendDue(at: now)
        advance(at: now)
        loop.nextWakeup = min(nextBurst, feed.nextTimeout)
    }

    private func sendDue(at now: MonotonicInstant) {
        // A load that was delayed for long does not catch up: the forwarder would see an unwanted burst.
        if now - nextBurst > .milliseconds(50) { nextBurst = now }
        while nextBurst <= now {
            feed.emit(plan.burst, at: now)
            sent += UInt64(plan.burst)
            nextBurst = nextBurst + interval
        }
    }

    private func advance(at now: MonotonicInstant) {
        switch phase {
        case .settingUp(let until):
            if feed.isReady {
                phase = .warming(until: now + Self.span(plan.warmUpSeconds))
            } else if now > until {
                end()
            }
        case .warming(let until):
            guard now >= until else { return }
            guard let before = clock.read() else { return end() }
            received = 0
            sent = 0
            phase = .measuring(since: now, until: now + Self.span(plan.seconds), before: before)
        case .measuring(let since, let until, let before):
            guard now >= until else { return }
            if let after = clock.read() {
                report = LoadReport(
                    seconds: (now - since).seconds, sent: sent, received: received,
                    nanoseconds: after.nanoseconds - before.nanoseconds,
                    userTicks: after.userTicks - before.userTicks, sleeps: after.sleeps - before.sleeps)
            }
            end()
        case .ended: break
        }
    }

    private func end() {
        phase = .ended
        loop.stop()
    }

    private static func span(_ seconds: Double) -> TimeSpan { TimeSpan(nanoseconds: Int64(seconds * 1e9)) }
}

/// Results of a load.
struct LoadReport: Codable {
    var seconds: Double
    /// Packets sent to the forwarder.
    var sent: UInt64
    /// Packets that children received: what the forwarder sent, unless it lost some.
    var received: UInt64
    /// CPU time of the forwarder's processes.
    var nanoseconds: UInt64
    var userTicks: UInt64
    var sleeps: UInt64
}
