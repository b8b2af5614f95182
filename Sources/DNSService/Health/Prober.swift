import NodeIdentity
import ReflectorModel
import RelayWire

/// Checks every set reflector once per round over a link of the relay protocol. A state machine without socket or clock:
/// it takes datagrams and times, and produces datagrams, a `HealthMonitor` and a `LeadTable`. The owner, one event loop,
/// calls `handleTimeout` at `nextTimeout`.
///
/// ```
/// round ─▶ first try: Probe on the open link ─▶ ProbeReport: answered
///             │ 250 ms without a report                ▲
///             ▼                                        │
///          second try: Hello ─▶ Cookie ─▶ Open ─▶ Opened ─▶ Probe ─▶ ProbeReport
///             both tries 500 ms without a report: two misses, the target is silent
/// ```
/// A first try without a link begins with a Hello, too. The second try goes to the target's address of the other family,
/// if it has one. If the target has restarted, it no longer knows the link and the first try fails. The second try
/// therefore always opens a new link. Within a try each step is resent every 125 ms, so that packet loss alone rarely
/// causes a miss.
///
/// The handshake proves that the target is the host that the zone means; so a report counts only from the host that it
/// was sent to. The target sends heartbeats with a nonce; the prober returns each, so that the target keeps the link.
final class Prober<Crypto: IdentityCrypto> {
    /// Sets up the keys of a link in the `PacketCrypto`; nil if there is no room.
    typealias Install = (LinkSecrets<Crypto.Secret>) -> LinkKeys?

    private struct Try {
        enum Step {
            /// Nothing is sent: the target has refused us a short time ago.
            case waiting
            case opening(ProbeHandshake<Crypto>)
            case probing(ProbeLink, number: UInt64)
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
        /// The link of the last report, or one opened since.
        var link: ProbeLink?
        /// The address that answered last: the next round begins there.
        var answering: Endpoint?
        /// No handshake before this.
        var mayOpenFrom = MonotonicInstant.zero
        var problem: ProbeProblem?
    }

    /// Timers are rounded up to a multiple of this number of nanoseconds, so that many targets cause few wake-ups.
    private static var grid: Int64 { 5_000_000 }
    /// A wake-up that is later than this means that our own process was paused: missing replies then prove nothing for
    /// a short time.
    private static var latenessMax: TimeSpan { .milliseconds(50) }

    private(set) var monitor = HealthMonitor()
    private(set) var leads = LeadTable()
    private(set) var counters = ProberCounters()
    private let configuration: ProberConfiguration
    private var identity: ProbeIdentity<Crypto>
    private let crypto: any PacketCrypto
    private let install: Install
    private var random: SeededGenerator
    private var courses: [ProbeTarget: Course] = [:]
    private var targetAt: [Endpoint: [ProbeTarget]] = [:]
    private var judgeFrom = MonotonicInstant.zero
    private var due = MonotonicInstant.distantFuture
    private var output: [(destination: Endpoint, bytes: [UInt8])] = []
    private var problems: [(target: ProbeTarget, problem: ProbeProblem)] = []
    private let buffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: max(WireLimits.handshakeLengthMax, WireLimits.controlLengthMax), alignment: 16)

    /// - Parameters:
    ///   - crypto: cryptography of open links, and the source of random numbers.
    ///   - install: receives the secrets of each link that opens, for `crypto`.
    ///   - seed: seed of the jitter; secrets come from `crypto`.
    init(
        configuration: ProberConfiguration = ProberConfiguration(), identity: ProbeIdentity<Crypto>,
        crypto: any PacketCrypto, seed: UInt64, install: @escaping Install
    ) {
        self.configuration = configuration
        self.identity = identity
        self.crypto = crypto
        self.install = install
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

    /// The files now have these streams and set reflectors; nil if the zone is no longer served.
    func replace(_ files: StreamWitnesses?) { leads.replace(files) }

    /// The name server has a new certificate or other operators. Links open again, each in its next round.
    func replace(_ credential: NodeCredential<Crypto>, authorities: CertificateAuthorities) {
        identity.credential = credential
        identity.trust.authorities = authorities
        let (trust, crypto) = (identity.trust, identity.crypto)
        if let list = trust.revocations, !authorities.accepts(list, zone: trust.zone, crypto) {
            identity.trust.revocations = nil
        }
        for target in monitor.targets {
            courses[target]?.link = nil
            courses[target]?.mayOpenFrom = .zero
        }
    }

    /// Certificates in this list are not believed from the next round on. False if no admin signed it.
    func replace(_ revocations: RevocationList) -> Bool {
        guard identity.trust.authorities.accepts(revocations, zone: identity.trust.zone, identity.crypto) else {
            return false
        }
        identity.trust.revocations = revocations
        return true
    }

    /// The wall clock has been read again.
    func setSeconds(_ seconds: UInt64, at now: MonotonicInstant) { identity.setSeconds(seconds, at: now) }

    /// When `handleTimeout` is next due.
    var nextTimeout: MonotonicInstant { due }

    /// Datagrams to send, oldest first.
    func takeOutput() -> [(destination: Endpoint, bytes: [UInt8])] {
        defer { output.removeAll(keepingCapacity: true) }
        return output
    }

    /// What has prevented probes since the last call: each problem of a target once, until a link opens.
    func takeProblems() -> [(target: ProbeTarget, problem: ProbeProblem)] {
        defer { problems.removeAll() }
        return problems
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
        leads.update(isFrozen: monitor.isFrozen, at: now)
    }

    private func advance(_ course: inout Course, of target: ProbeTarget, at now: MonotonicInstant) {
        if let last = course.tries.last, course.tries.count == 2, now >= last.startedAt + configuration.timeout,
            now >= judgeFrom
        {
            counters.missed += 1
            // A link that opened too late for this round is used in the next one.
            if let link = course.link, link.openedAt < course.tries[0].startedAt { course.link = nil }
            course.tries = []
            monitor.round(target, isAnswered: false, at: now)
        }
        if course.tries.isEmpty, now >= course.nextRound {
            course.nextRound = now + interval
            begin(&course, of: target, at: now)
        } else if course.tries.count == 1, now >= course.tries[0].startedAt + configuration.patience {
            course.link = nil
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
        if let link = course.link, link.address == to, !link.isOver(at: now), identity.isTrusted(link.peer, at: now) {
            step = .probing(link, number: random64())
        } else if case .opening? = course.tries.last?.step, let first = course.tries.last, first.to == to {
            // The same handshake gets more time: two at once would open two links, of which the target keeps one.
            step = first.step
            course.tries[0].step = .waiting
        } else if now >= course.mayOpenFrom {
            course.link = nil
            step = opening(to: target)
        } else {
            step = .waiting
        }
        course.tries.append(Try(step: step, to: to, startedAt: now, sentAt: now))
        send(step, to: to)
    }

    private func opening(to target: ProbeTarget) -> Try.Step {
        let bytes = [random64(), random64()].flatMap { word in withUnsafeBytes(of: word) { Array($0) } }
        guard let nonce = Nonce(bytes) else { return .waiting }
        return .opening(ProbeHandshake(to: target, identity, nonce: nonce, token: max(random64(), 1)))
    }

    func receive(_ datagram: UnsafeRawBufferPointer, from source: Endpoint, at now: MonotonicInstant) {
        for target in targetAt[source] ?? [] {
            guard var course = courses[target] else { continue }
            let isTaken: Bool
            if case .control? = try? DatagramType.of(datagram) {
                isTaken = takeControl(datagram, from: target, at: source, &course, at: now)
            } else {
                isTaken = takeHandshake(datagram, from: target, at: source, &course, at: now)
            }
            // An attempt counts even if its message was no use.
            courses[target] = course
            if isTaken { return wake(at: wakeUp(of: course, at: now)) }
        }
        counters.rejected += 1
    }

    /// True if the datagram is a message on one of the target's links.
    private func takeControl(
        _ datagram: UnsafeRawBufferPointer, from target: ProbeTarget, at source: Endpoint, _ course: inout Course,
        at now: MonotonicInstant
    ) -> Bool {
        var links = course.tries.compactMap { attempt in
            if case .probing(let link, _) = attempt.step { link } else { nil }
        }
        if let link = course.link, !links.contains(where: { $0 === link }) { links.append(link) }
        for link in links where link.address == source {
            guard let message = link.read(datagram) else { continue }
            switch message {
            case .probeReport(let report): return take(report, on: link, from: target, &course, at: now)
            case .linkHeartbeat(let heartbeat):
                if let renew = link.renew(for: heartbeat, at: now) { send(.renew(renew), on: link) }
            case .close: drop(link, from: &course)
            default: break
            }
            return true
        }
        return false
    }

    /// False if the report answers no probe of this round.
    private func take(
        _ report: ProbeReport, on link: ProbeLink, from target: ProbeTarget, _ course: inout Course,
        at now: MonotonicInstant
    ) -> Bool {
        let isAsked = course.tries.contains { attempt in
            if case .probing(let own, report.number) = attempt.step { own === link } else { false }
        }
        guard isAsked else { return false }
        counters.answered += 1
        course.answering = link.address
        course.link = link
        course.tries = []
        monitor.noteLoss(target) { $0.take(report, at: now) }
        monitor.round(target, isAnswered: true, at: now)
        leads.take(report.leads, from: target.node, at: now)
        leads.update(isFrozen: monitor.isFrozen, at: now)
        return true
    }

    /// The target has closed the link: the next try opens another one.
    private func drop(_ link: ProbeLink, from course: inout Course) {
        if course.link === link { course.link = nil }
        for index in course.tries.indices {
            if case .probing(let own, _) = course.tries[index].step, own === link {
                course.tries[index].step = .waiting
            }
        }
    }

    // MARK: Opening links

    /// True if the datagram belongs to a handshake of this target.
    private func takeHandshake(
        _ datagram: UnsafeRawBufferPointer, from target: ProbeTarget, at source: Endpoint, _ course: inout Course,
        at now: MonotonicInstant
    ) -> Bool {
        guard let message = try? HandshakeCodec.decode(datagram) else { return false }
        for index in course.tries.indices where course.tries[index].to == source {
            guard case .opening(var handshake) = course.tries[index].step else { continue }
            do throws(HandshakeError) {
                switch try handshake.receive(message, from: target, &identity, at: now) {
                case .next: course.tries[index].step = .opening(handshake)
                case .opened(let link, let grant):
                    guard let keys = install(link.secrets) else { throw .noRoom }
                    counters.linksOpened += 1
                    let link = ProbeLink(
                        to: source, peer: link.peer.content, ownToken: handshake.token, peerToken: grant.parentToken,
                        keys: keys, crypto: crypto, at: now)
                    course.link = link
                    course.problem = nil
                    course.tries[index].step = .probing(link, number: random64())
                case .refused(let reason):
                    counters.refused += 1
                    course.mayOpenFrom = now + configuration.refusalPause
                    course.tries[index].step = .waiting
                    note(.refused(reason), of: target, &course)
                }
                course.tries[index].sentAt = now
                send(course.tries[index].step, to: source)
                return true
            } catch .otherNonce {
                continue
            } catch {
                // The handshake counts how often it was tried.
                course.tries[index].step = .opening(handshake)
                counters.distrusted += 1
                if let problem = ProbeProblem(error) { note(problem, of: target, &course) }
                return false
            }
        }
        return false
    }

    private func note(_ problem: ProbeProblem, of target: ProbeTarget, _ course: inout Course) {
        guard course.problem != problem else { return }
        course.problem = problem
        problems.append((target, problem))
    }

    // MARK: Sending

    private func send(_ step: Try.Step, to endpoint: Endpoint) {
        switch step {
        case .waiting: break
        case .opening(let handshake): send(HandshakeCodec.encode(handshake.message, into: buffer), to: endpoint)
        case .probing(let link, let number): send(.probe(number: number), on: link)
        }
    }

    private func send(_ message: RelayMessage, on link: ProbeLink) {
        send(link.write(message, into: buffer), to: link.address)
    }

    /// Sends this many bytes of `buffer`.
    private func send(_ length: Int, to endpoint: Endpoint) {
        counters.sent += 1
        output.append((endpoint, Array(UnsafeRawBufferPointer(rebasing: buffer[..<length]))))
    }

    private func random64() -> UInt64 {
        var value: UInt64 = 0
        withUnsafeMutableBytes(of: &value) { crypto.random(into: $0) }
        return value
    }
}
