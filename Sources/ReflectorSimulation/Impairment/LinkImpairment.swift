import ReflectorModel

/// One direction of an impaired link, as a pure value: the caller passes the time and the seed. A datagram first waits
/// for the bottleneck, then may be lost, then travels.
///
///     admit ──▶ bottleneck (rate, queue) ──▶ loss (Gilbert–Elliott) ──▶ delay ± jitter ──▶ departures
///                    └▶ queueFull                └▶ lost                  └▶ held back, doubled
///
/// The simulator and `reflector impair` both use it, so that an observation in virtual time can be repeated on sockets.
public struct LinkImpairment: Sendable {
    /// The fate of one datagram.
    public enum Verdict: Equatable, Sendable {
        case dropped(DropReason)
        /// It arrives at `at`, and once more at `copyAt` if the link doubled it.
        case departs(at: MonotonicInstant, copyAt: MonotonicInstant?)
    }

    public enum DropReason: Equatable, Sendable {
        /// Lost on the way.
        case loss
        /// It would have waited longer than `ImpairmentOptions.queue` for the bottleneck.
        case queueFull
    }

    /// What the link has done so far.
    public struct Counts: Equatable, Sendable, Codable {
        public var offered: UInt64 = 0
        public var lost: UInt64 = 0
        /// Number of runs of consecutive losses: `lost / lossRuns` is the mean burst.
        public var lossRuns: UInt64 = 0
        public var queueFull: UInt64 = 0
        public var heldBack: UInt64 = 0
        public var doubled: UInt64 = 0

        public init() {}

        public static func += (a: inout Counts, b: Counts) {
            a.offered &+= b.offered
            a.lost &+= b.lost
            a.lossRuns &+= b.lossRuns
            a.queueFull &+= b.queueFull
            a.heldBack &+= b.heldBack
            a.doubled &+= b.doubled
        }
    }

    /// The current options: a trace changes them.
    public private(set) var options: ImpairmentOptions
    public private(set) var counts = Counts()
    private var generator: SeededGenerator
    private var lossProcess: LossProcess
    private var previousLost = false
    /// When the bottleneck will have sent everything that it accepted.
    private var bottleneckFree = MonotonicInstant.zero
    /// The latest arrival of all datagrams so far that were not held back.
    private var lastDeparture = MonotonicInstant.zero

    private let trace: ImpairmentTrace?
    /// The instant at which the trace begins.
    private let origin: MonotonicInstant
    /// When the trace next changes something.
    private var nextStep = MonotonicInstant.distantFuture

    /// - Parameters:
    ///   - options: must be valid; the caller checks this with `problems`.
    ///   - trace: how the options change with time, counted from `origin`.
    ///   - seed: the same seed and the same calls give the same verdicts.
    public init(
        _ options: ImpairmentOptions, trace: ImpairmentTrace? = nil, origin: MonotonicInstant = .zero, seed: UInt64
    ) {
        self.options = options
        self.trace = trace
        self.origin = origin
        if trace != nil { nextStep = origin }
        generator = SeededGenerator(seed: seed)
        lossProcess = LossProcess(loss: options.loss, episode: options.episode, using: &generator)
    }

    /// Decides the fate of a datagram of `bytes` bytes that is sent at `now`. `now` never decreases, except by a little
    /// when a timer was overdue.
    public mutating func admit(bytes: Int, at now: MonotonicInstant) -> Verdict {
        counts.offered &+= 1
        if now >= nextStep { follow(at: now) }
        guard let sent = passBottleneck(bytes: bytes, at: now) else {
            counts.queueFull &+= 1
            return .dropped(.queueFull)
        }
        guard !loses(at: now) else { return .dropped(.loss) }

        var arrival = max(sent, sent + options.delay + jitter())
        if options.reorder > 0, generator.chance(options.reorder) {
            counts.heldBack &+= 1
            arrival = arrival + generator.time(upTo: options.reorderDelayMax)
        } else {
            arrival = max(arrival, lastDeparture)
            lastDeparture = arrival
        }
        var copy: MonotonicInstant?
        if options.duplicate > 0, generator.chance(options.duplicate) {
            counts.doubled &+= 1
            copy = arrival + generator.time(upTo: options.jitter)
        }
        return .departs(at: arrival, copyAt: copy)
    }

    /// The instant at which the datagram leaves the bottleneck; nil if the queue is too long.
    private mutating func passBottleneck(bytes: Int, at now: MonotonicInstant) -> MonotonicInstant? {
        guard let rate = options.bitsPerSecond, rate > 0 else { return now }
        let start = max(now, bottleneckFree)
        guard start - now <= options.queue else { return nil }
        let bits = Int64(max(0, min(bytes, 65_535))) * 8
        bottleneckFree = start + TimeSpan(nanoseconds: bits * 1_000_000_000 / rate)
        return bottleneckFree
    }

    /// Applies the current step of the trace.
    private mutating func follow(at now: MonotonicInstant) {
        guard let trace else { return }
        let (step, next) = trace.step(at: now - origin)
        nextStep = next.map { origin + $0 } ?? .distantFuture
        guard let step else { return }
        let before = options
        step.apply(to: &options)
        if options.loss != before.loss || options.episode != before.episode {
            lossProcess = LossProcess(loss: options.loss, episode: options.episode, using: &generator)
        }
    }

    private mutating func loses(at now: MonotonicInstant) -> Bool {
        let lost = lossProcess.loses(at: now, using: &generator)
        if lost {
            counts.lost &+= 1
            if !previousLost { counts.lossRuns &+= 1 }
        }
        previousLost = lost
        return lost
    }

    private mutating func jitter() -> TimeSpan {
        guard options.jitter > .zero else { return .zero }
        return generator.time(upTo: options.jitter * 2) - options.jitter
    }
}
