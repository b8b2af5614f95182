import ReflectorModel

/// The death and return of the parent that an edge fetches from, or of the link to it. Each seed gives one run of at
/// most 20,000 events. The edge has three parents. It must lose no packet, and must receive one copy of each packet
/// before the death and after the return.
public struct FailoverRun: Sendable {
    /// What fails.
    public enum Death: Sendable, CaseIterable {
        case parent
        /// No datagram passes between parent and edge, in either direction.
        case link
    }

    public struct Report: Sendable {
        public var death: Death
        public var packetsPerSecond: Int64
        public var lost: UInt64
        public var wrong: UInt64
        public var delivered: UInt64
        /// Longest time without a delivery.
        public var gapMax: TimeSpan
        public var events: UInt64
        /// Average number of copies of a packet that the parents sent to the edge, before the death and after the
        /// return.
        public var copiesBefore: Double
        public var copiesAfter: Double
        /// Whether, in the end, the edge fetches only from the parent that had failed.
        public var hasReturned: Bool
        public var digest: UInt64

        public var isGood: Bool {
            lost == 0 && wrong == 0 && delivered > 0 && hasReturned && copiesBefore < 1.1 && copiesAfter < 1.1
                && events <= FailoverRun.eventsMax
        }
    }

    public static let eventsMax: UInt64 = 20_000
    public let seed: UInt64

    public init(seed: UInt64) { self.seed = seed }

    /// Returns nil only if the options are invalid.
    public func run() -> Report? {
        var random = SeededGenerator(seed: seed)
        var options = LineOptions()
        options.seed = seed
        options.parents = 3
        options.packetsPerSecond = 20 + Int64(random.next(below: 21))
        options.playOutDeadline = .milliseconds(500)
        options.lastHop.delay = .milliseconds(1) + random.time(upTo: .milliseconds(30))
        options.lastHop.jitter = min(options.lastHop.delay, random.time(upTo: .milliseconds(4)))
        options.otherHops.delay = .milliseconds(1) + random.time(upTo: .milliseconds(20))
        let death = random.pick(Death.allCases)
        guard let simulation = LineSimulation(options) else { return nil }
        simulation.run(for: .seconds(3))
        simulation.startCounting()
        simulation.run(for: .seconds(1) + random.time(upTo: .seconds(1)))
        let before = simulation.counted
        let victim = "set-0"
        switch death {
        case .parent: simulation.crash(victim)
        case .link:
            simulation.loses = { from, to, _ in [from, to].contains(victim) && [from, to].contains("edge-0") }
        }
        simulation.run(for: .seconds(2) + random.time(upTo: .seconds(4)))
        simulation.loses = nil
        simulation.restart(victim)
        simulation.run(for: .seconds(42))
        let settled = simulation.counted
        simulation.run(for: .seconds(2))
        let after = simulation.counted
        let hasReturned = simulation.paths(of: "edge-0") == [victim]
        let report = simulation.finish()
        return Report(
            death: death, packetsPerSecond: options.packetsPerSecond, lost: report.sent - report.delivered,
            wrong: report.wrong, delivered: report.delivered, gapMax: report.gapMax, events: simulation.events,
            copiesBefore: Double(before.lastHopData) / Double(max(before.sent, 1)),
            copiesAfter: Double(after.lastHopData - settled.lastHopData) / Double(max(after.sent - settled.sent, 1)),
            hasReturned: hasReturned, digest: report.digest)
    }
}
