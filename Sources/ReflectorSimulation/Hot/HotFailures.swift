import ReflectorModel

/// A hot stream while one of its two entrypoints fails and all links lose 2 %: viewers must not notice.
public struct HotFailures {
    public enum Failure: String, CaseIterable, Sendable {
        case firstKilled = "first entrypoint killed"
        case firstStopped = "first entrypoint stopped"
        case firstCut = "first entrypoint cut off"
        case secondKilled = "second entrypoint killed"
        case secondStopped = "second entrypoint stopped"
        case secondCut = "second entrypoint cut off"

        var fault: HotFault {
            switch self {
            case .firstKilled: .kill(0, restartAfter: nil)
            case .firstStopped: .pause(0, .seconds(4))
            case .firstCut: .cut(0)
            case .secondKilled: .kill(1, restartAfter: nil)
            case .secondStopped: .pause(1, .seconds(4))
            case .secondCut: .cut(1)
            }
        }
    }

    /// Packets that arrive later than this after the encoder sent them are late: the play-out deadline of an edge.
    public static let deadline = TimeSpan.milliseconds(500)
    private static let loss = 0.02
    /// By how much one feed may be behind the other.
    private static let offsetMax = TimeSpan.milliseconds(100)
    private static let failsFrom = TimeSpan.seconds(5)

    public init() {}

    /// Nil only if the stream has no well-formed name.
    public func run(_ failure: Failure, seed: UInt64, trace: ((String) -> Void)? = nil) -> HotReport? {
        var random = SeededGenerator(seed: FixedHash.combine(seed, 0x407))
        var options = HotOptions(seed: seed)
        options.link.loss = Self.loss
        options.offset = random.time(upTo: Self.offsetMax * 2) - Self.offsetMax
        options.faults = [(at: Self.failsFrom + random.time(upTo: .seconds(1)), fault: failure.fault)]
        guard let simulation = HotSimulation(options) else { return nil }
        simulation.trace = trace
        return simulation.run()
    }
}

extension HotReport {
    /// Everything arrived once, in order, in time, and from one incarnation.
    public var isWhole: Bool {
        lost == 0 && late == 0 && repeated == 0 && wrong == 0 && discontinuities == 0 && sealedTwice == 0
    }
}
