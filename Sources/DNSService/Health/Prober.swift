import ReflectorModel
import RelayWire

/// Checks every set reflector once per round over the relay protocol. A state machine without socket or clock: it takes
/// datagrams and times, and produces datagrams and a `HealthMonitor`. The owner, one event loop, calls `handleTimeout`
/// at `nextTimeout`.
///
/// ```
/// round ─▶ first try: probe (with a stored cookie), or hello ─▶ cookie ─▶ probe ─▶ report: answered
///             │ 250 ms without a report                                           ▲
///             ▼                                                                   │
///          second try: hello ─▶ cookie ─▶ probe ──────────────────────────────────┘
///             both tries 500 ms without a report: two misses, the target is silent
/// ```
/// The second try goes to the target's address of the other family, if it has one. If the target has restarted, it no
/// longer accepts the cookie and the first try fails. The second try therefore always starts with a hello. Within a try
/// each step is resent every 125 ms, so that packet loss alone rarely causes a miss.
final class Prober {
    struct Configuration: Sendable {
        /// Time between two rounds of a target, ± `jitterPercent`.
        var interval: TimeSpan = .milliseconds(800)
        /// Jitter in percent of the interval.
        var jitterPercent: Int64 = 10
        /// How long a try waits for its report.
        var timeout: TimeSpan = .milliseconds(500)
        /// Delay of the second try after the first.
        var patience: TimeSpan = .milliseconds(250)
        /// Resend interval of a step.
        var resend: TimeSpan = .milliseconds(125)
        /// How long a cookie is used; nodes accept one for 10 s.
        var cookieSpan: TimeSpan = .seconds(8)
        /// Maximum number of targets; further targets stay unprobed.
        var targetsMax = 4_096
        init() {}
    }

    struct Counters: Sendable {
        var sent: UInt64 = 0
        var answered: UInt64 = 0
        var missed: UInt64 = 0
        /// Datagrams that answer no try: malformed, not authentic, late, or from another source.
        var rejected: UInt64 = 0
        var lateWakeups: UInt64 = 0
        var targetsLeftOut: UInt64 = 0
    }

    private struct Try {
        enum Step {
            case greeting(HandshakeNonce)
            case probing(HandshakeNonce, HandshakeCookie, number: UInt64)
        }
        var step: Step
        var to: Endpoint
        var startedAt: MonotonicInstant
        /// When `step` was last sent.
        var sentAt: MonotonicInstant
    }

    private struct Course {
        var nextRound: MonotonicInstant
        /// Pending tries of the round; empty between rounds.
        var tries: [Try] = []
        var cookie: (nonce: HandshakeNonce, cookie: HandshakeCookie, of: Endpoint, at: MonotonicInstant)?
        /// The address that answered last: the next round begins there.
        var answering: Endpoint?
    }

    /// Timers are rounded up to a multiple of this number of nanoseconds, so that many targets cause few wake-ups.
    private static let grid: Int64 = 5_000_000
    /// A wake-up that is later than this means that our own process was paused: missing replies then prove nothing for
    /// a short time.
    private static let latenessMax = TimeSpan.milliseconds(50)

    private(set) var monitor = HealthMonitor()
    private(set) var counters = Counters()
    private let configuration: Configuration
    private let node: NodeID
    private let crypto: any PacketCrypto
    private var random: SeededGenerator
    private var courses: [ProbeTarget: Course] = [:]
    private var targetAt: [Endpoint: [ProbeTarget]] = [:]
    private var judgeFrom = MonotonicInstant.zero
    private var due = MonotonicInstant.distantFuture
    private var output: [(destination: Endpoint, bytes: [UInt8])] = []
    private let buffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: WireLimits.handshakeLengthMax, alignment: 16)

    /// - Parameters:
    ///   - name: name of this prober, which determines its node id.
    ///   - seed: seed of the jitter; secrets come from `crypto`.
    init(configuration: Configuration = Configuration(), name: String, crypto: any PacketCrypto, seed: UInt64) {
        self.configuration = configuration
        node = NodeID(name: name)
        self.crypto = crypto
        random = SeededGenerator(seed: seed)
    }

    deinit { buffer.deallocate() }

    /// Sets the targets. Existing targets continue; new ones are probed at once.
    func setTargets(_ wanted: [ProbeTarget], at now: MonotonicInstant) {
        let targets = Array(wanted.prefix(configuration.targetsMax))
        counters.targetsLeftOut = UInt64(wanted.count - targets.count)
        var kept: [ProbeTarget: Course] = [:]
        targetAt = [:]
        for target in targets {
            kept[target] = courses[target] ?? Course(nextRound: now)
            targetAt[target.endpoint, default: []].append(target)
            if let other = target.other { targetAt[other, default: []].append(target) }
        }
        courses = kept
        monitor.replace(targets, at: now)
        handleTimeout(at: now)
    }

    /// The keys behind `crypto` have changed: the next tries request a new cookie under the first key.
    func keysChanged() {
        for target in monitor.targets { courses[target]?.cookie = nil }
    }

    /// When `handleTimeout` is next due.
    var nextTimeout: MonotonicInstant { due }

    /// Datagrams to send, oldest first.
    func takeOutput() -> [(destination: Endpoint, bytes: [UInt8])] {
        defer { output.removeAll(keepingCapacity: true) }
        return output
    }

    // MARK: Time

    func handleTimeout(at now: MonotonicInstant) {
        if now - due > Self.latenessMax, due != .distantFuture {
            counters.lateWakeups += 1
            judgeFrom = now + .milliseconds(100)
        }
        due = .distantFuture
        for target in monitor.targets {
            guard var course = courses[target] else { continue }
            advance(&course, of: target, at: now)
            courses[target] = course
            wake(at: wakeUp(of: course, at: now))
        }
    }

    private func advance(_ course: inout Course, of target: ProbeTarget, at now: MonotonicInstant) {
        if let last = course.tries.last, course.tries.count == 2, now >= last.startedAt + configuration.timeout,
            now >= judgeFrom
        {
            counters.missed += 1
            course.tries = []
            course.cookie = nil
            monitor.round(target, isAnswered: false, at: now)
        }
        if course.tries.isEmpty, now >= course.nextRound {
            course.nextRound = now + interval
            begin(&course, of: target, at: now)
        } else if course.tries.count == 1, now >= course.tries[0].startedAt + configuration.patience {
            course.cookie = nil
            begin(&course, of: target, at: now)
        }
        for index in course.tries.indices where now >= resend(of: course.tries[index]) {
            course.tries[index].sentAt = now
            send(course.tries[index].step, to: course.tries[index].to)
        }
    }

    private func wakeUp(of course: Course, at now: MonotonicInstant) -> MonotonicInstant {
        var next =
            switch course.tries.count {
            case 0: course.nextRound
            case 1: course.tries[0].startedAt + configuration.patience
            default: max(course.tries[1].startedAt + configuration.timeout, judgeFrom)
            }
        for attempt in course.tries { next = min(next, resend(of: attempt)) }
        return next
    }

    /// When the step of a try is due to be resent; `.distantFuture` if it will not be.
    private func resend(of attempt: Try) -> MonotonicInstant {
        let next = attempt.sentAt + configuration.resend
        return next < attempt.startedAt + configuration.timeout ? next : .distantFuture
    }

    private func wake(at instant: MonotonicInstant) {
        let rounded = (instant.nanoseconds + Self.grid - 1) / Self.grid * Self.grid
        due = min(due, MonotonicInstant(nanoseconds: rounded))
    }

    private var interval: TimeSpan {
        let part = configuration.interval.nanoseconds / 100 * configuration.jitterPercent
        let jitter = part > 0 ? Int64.random(in: -part...part, using: &random) : 0
        return TimeSpan(nanoseconds: configuration.interval.nanoseconds + jitter)
    }

    // MARK: Datagrams

    private func begin(_ course: inout Course, of target: ProbeTarget, at now: MonotonicInstant) {
        let first = course.answering.flatMap { $0 == target.other ? $0 : nil } ?? target.endpoint
        let second = first == target.endpoint ? target.other ?? first : target.endpoint
        let to = course.tries.isEmpty ? first : second
        let step: Try.Step
        if let held = course.cookie, held.of == to, now - held.at < configuration.cookieSpan {
            step = .probing(held.nonce, held.cookie, number: random64())
        } else {
            step = .greeting(HandshakeNonce(high: random64(), low: random64()))
        }
        course.tries.append(Try(step: step, to: to, startedAt: now, sentAt: now))
        send(step, to: to)
    }

    func receive(_ datagram: UnsafeRawBufferPointer, from source: Endpoint, at now: MonotonicInstant) {
        guard let targets = targetAt[source], let message = try? HandshakeCodec.decode(datagram),
            HandshakeCodec.verify(datagram, crypto: crypto)
        else { return counters.rejected += 1 }
        for target in targets {
            guard var course = courses[target] else { continue }
            if take(message, from: target, at: source, &course, at: now) {
                courses[target] = course
                return wake(at: wakeUp(of: course, at: now))
            }
        }
        counters.rejected += 1
    }

    /// True if the message answers a try of this target.
    private func take(
        _ message: HandshakeMessage, from target: ProbeTarget, at source: Endpoint, _ course: inout Course,
        at now: MonotonicInstant
    ) -> Bool {
        switch message {
        case .cookie(_, let nonce, let cookie):
            let greeted = course.tries.firstIndex {
                if case .greeting(nonce) = $0.step { $0.to == source } else { false }
            }
            guard let greeted else { return false }
            course.cookie = (nonce, cookie, source, now)
            course.tries[greeted].step = .probing(nonce, cookie, number: random64())
            course.tries[greeted].sentAt = now
            send(course.tries[greeted].step, to: source)
            return true
        case .probeReport(let report):
            let isAsked = course.tries.contains { attempt in
                guard case .probing(report.nonce, _, report.number) = attempt.step else { return false }
                return attempt.to == source
            }
            guard isAsked, report.node == target.node else { return false }
            counters.answered += 1
            course.answering = source
            course.tries = []
            monitor.noteLoss(target) { $0.take(report, at: now) }
            monitor.round(target, isAnswered: true, at: now)
            return true
        case .hello, .open, .opened, .refused, .probe: return false
        }
    }

    private func send(_ step: Try.Step, to endpoint: Endpoint) {
        switch step {
        case .greeting(let nonce):
            send(.hello(keyPhase: keyPhase, role: .observer, node: node, nonce: nonce), to: endpoint)
        case .probing(let nonce, let cookie, let number):
            let probe = Probe(
                keyPhase: keyPhase, role: .observer, node: node, nonce: nonce, cookie: cookie, number: number)
            send(.probe(probe), to: endpoint)
        }
    }

    private func send(_ message: HandshakeMessage, to endpoint: Endpoint) {
        let length = HandshakeCodec.encode(message, into: buffer)
        let datagram = UnsafeMutableRawBufferPointer(rebasing: buffer[..<length])
        guard HandshakeCodec.finish(datagram, crypto: crypto) else { return }
        counters.sent += 1
        output.append((endpoint, Array(datagram)))
    }

    private var keyPhase: UInt8 { crypto.keyPhases.first ?? 0 }

    private func random64() -> UInt64 {
        var value: UInt64 = 0
        withUnsafeMutableBytes(of: &value) { crypto.random(into: $0) }
        return value
    }
}
