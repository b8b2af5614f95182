import ReflectorModel
import RelayCore

/// What adaptive multipath costs and saves over a long run. There are many regions; each has three parents, and each
/// path has its own bad episodes. The `PathPolicy` of the edges decides how many paths a stream uses. Quiet time is
/// skipped; in bad episodes, every packet and every retransmit is checked against the random bursts of loss on its
/// path.
public struct LongRunSimulation: Sendable {
    /// How many paths a stream uses.
    public enum Strategy: Sendable, Equatable {
        case adaptive
        case always(Int)

        public var name: String {
            switch self {
            case .adaptive: "adaptive"
            case .always(let count): "always \(count)"
            }
        }
    }

    public struct Report: Sendable, Equatable {
        public var packets: UInt64 = 0
        public var missing: UInt64 = 0
        public var repaired: UInt64 = 0
        /// Sum of the seconds of all streams, each counted once for each path in use.
        public var pathSeconds = 0.0
        /// Sum of the seconds of all streams.
        public var seconds = 0.0
        /// Number of times that a path was added.
        public var additions: UInt64 = 0

        public var averagePaths: Double { seconds == 0 ? 0 : pathSeconds / seconds }
        public var lossPercent: Double { packets == 0 ? 0 : 100 * Double(missing) / Double(packets) }
    }

    public var regions = 100
    public var streams = 10
    public var days = 30
    public var packetsPerSecond: Int64 = 5
    public var playOutDeadline = TimeSpan.milliseconds(500)
    public var roundTrip = TimeSpan.milliseconds(60)
    /// Mean time between the bad episodes of a path, and their mean length.
    public var quiet = TimeSpan.seconds(1_800)
    public var bad = TimeSpan.seconds(120)
    public var seed: UInt64 = 1

    public init() {}

    private static let second: Int64 = 1_000_000_000

    /// Runs one strategy. The same seed gives every strategy the same path conditions.
    public func run(_ strategy: Strategy) -> Report {
        var report = Report()
        for region in 0..<regions {
            var random = SeededGenerator(seed: FixedHash.combine(seed, UInt64(region)))
            let span = TimeSpan.seconds(Int64(days) * 86_400)
            let conditions = (0..<PathPolicy.pathsMax).map { _ in
                PathConditions(span: span, quiet: quiet, bad: bad, &random)
            }
            for stream in 0..<streams {
                var one = StreamRun(self, strategy, conditions, phase: Int64(stream) * 7_919_113)
                one.run(to: span.nanoseconds, &report)
            }
        }
        return report
    }

    /// One stream of one region.
    private struct StreamRun {
        let options: LongRunSimulation
        let strategy: Strategy
        var cursors: [PathConditionsCursor]
        var policy = PathPolicy()
        /// Paths in use, in order of rank.
        var used: [Int] = [0]
        /// For each path: the instant until which a stream does not return to it.
        var demotedUntil: [Int64]
        let interval: Int64
        let phase: Int64

        init(_ options: LongRunSimulation, _ strategy: Strategy, _ conditions: [PathConditions], phase: Int64) {
            self.options = options
            self.strategy = strategy
            cursors = conditions.map { PathConditionsCursor($0) }
            demotedUntil = conditions.map { _ in 0 }
            interval = LongRunSimulation.second / options.packetsPerSecond
            self.phase = phase
            if case .always(let count) = strategy { used = Array(0..<min(max(count, 1), conditions.count)) }
        }

        mutating func run(to end: Int64, _ report: inout Report) {
            var at: Int64 = 0
            while at < end {
                let quietUntil = used.map { cursors[$0].nextStart(at: at) }.min() ?? end
                if quietUntil > at, isSettled {
                    // Skip whole seconds without any loss.
                    var seconds = max((min(quietUntil, end) - at) / LongRunSimulation.second, 1)
                    if let back = demotedUntil.prefix(used[0]).min(), back > at {
                        seconds = min(seconds, max((back - at) / LongRunSimulation.second, 1))
                    }
                    report.packets += UInt64(seconds * options.packetsPerSecond)
                    count(Double(seconds), &report)
                    at += seconds * LongRunSimulation.second
                    for _ in 0..<min(seconds, 3) { note(0, 0, at: at, &report) }
                } else {
                    let (missing, repaired) = playSecond(from: at, &report)
                    count(1, &report)
                    at += LongRunSimulation.second
                    note(missing, repaired, at: at, &report)
                }
            }
        }

        private var isSettled: Bool { strategy != .adaptive || policy.wanted == 1 }

        private func count(_ seconds: Double, _ report: inout Report) {
            report.seconds += seconds
            report.pathSeconds += seconds * Double(used.count)
        }

        /// Simulates one second, packet by packet. Returns the numbers of missing and of repaired packets.
        private mutating func playSecond(from start: Int64, _ report: inout Report) -> (UInt64, UInt64) {
            var missing: UInt64 = 0
            var repaired: UInt64 = 0
            for number in 0..<options.packetsPerSecond {
                let at = start + number * interval + phase % interval
                report.packets += 1
                var isLost = true
                for path in used where cursors[path].passes(at: at) { isLost = false }
                guard isLost else { continue }
                if isRepaired(from: at) { repaired += 1 } else { missing += 1 }
            }
            report.missing += missing
            report.repaired += repaired
            return (missing, repaired)
        }

        /// Whether a lost packet is repaired before the deadline: on one of the paths, both the NAK and the retransmit
        /// must arrive. There is about one try per round trip.
        private func isRepaired(from lost: Int64) -> Bool {
            let roundTrip = options.roundTrip.nanoseconds
            // The next packet or a heartbeat reveals the loss.
            var asked = lost + min(interval, 100_000_000) + roundTrip / 2
            let deadline = lost + options.playOutDeadline.nanoseconds + interval
            while asked + roundTrip <= deadline {
                for path in used {
                    let nak = cursors[path].passesLater(at: asked)
                    if nak, cursors[path].passesLater(at: asked + roundTrip / 2) { return true }
                }
                asked += roundTrip + 2_000_000
            }
            return false
        }

        private mutating func note(_ missing: UInt64, _ repaired: UInt64, at: Int64, _ report: inout Report) {
            guard strategy == .adaptive else { return }
            let packets = UInt64(options.packetsPerSecond)
            let before = policy.wanted
            policy.note(
                PathPolicy.Second(delivered: packets - missing, missing: missing, repaired: repaired),
                at: MonotonicInstant(nanoseconds: at))
            if policy.wanted > before { report.additions += 1 }
            if policy.wanted > used.count { add(at: at) }
            if policy.wanted < used.count { drop(at: at) }
            // Return to a path of better rank once its demotion is over. A node does so make before break, so there is
            // no gap.
            if used.count == 1, let back = (0..<used[0]).first(where: { demotedUntil[$0] <= at }) { used = [back] }
        }

        private mutating func add(at: Int64) {
            if let next = cursors.indices.first(where: { !used.contains($0) }) { used = (used + [next]).sorted() }
        }

        private mutating func drop(at: Int64) {
            let merits = used.map { path in
                PathMerit(loss: cursors[path].loss(at: at), roundTrip: options.roundTrip)
            }
            var worst = used.count - 1
            for index in stride(from: used.count - 2, through: 0, by: -1)
            where merits[worst].isClearlyBetter(than: merits[index]) {
                worst = index
            }
            if worst < used.count - 1 { demotedUntil[used[worst]] = at + PathPolicy.demotionSpan.nanoseconds }
            used.remove(at: worst)
        }
    }
}
