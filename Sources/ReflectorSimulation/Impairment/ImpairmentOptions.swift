import ReflectorModel

/// What one direction of a link does to datagrams. The default is a perfect link.
public struct ImpairmentOptions: Sendable, Equatable {
    /// How losses are grouped into episodes.
    public enum Episode: Sendable, Equatable {
        /// Each datagram is lost independently of the others.
        case independent
        /// Gilbert–Elliott driven by datagrams: mean length of a run of losses, in datagrams, at least 1.
        case datagrams(Double)
        /// Gilbert–Elliott driven by time: mean length of a bad period in which everything is lost.
        case time(TimeSpan)
    }

    /// Share of datagrams lost, 0 to 1.
    public var loss = 0.0
    public var episode = Episode.independent
    /// Propagation delay of the link.
    public var delay = TimeSpan.zero
    /// `delay` varies uniformly by up to this much, up or down; datagrams keep their order.
    public var jitter = TimeSpan.zero
    /// Share of datagrams that are held back so that later ones overtake them, 0 to 1.
    public var reorder = 0.0
    /// A datagram is held back for a uniformly random time up to this.
    public var reorderDelayMax = TimeSpan.milliseconds(5)
    /// Share of datagrams that arrive twice, 0 to 1.
    public var duplicate = 0.0
    /// Rate of the bottleneck in bits per second; nil: no bottleneck.
    public var bitsPerSecond: Int64?
    /// Longest wait before the bottleneck; a datagram that would wait longer is dropped.
    public var queue = TimeSpan.milliseconds(100)

    public init() {}

    /// The problems that make these options invalid; empty if they are valid.
    public var problems: [String] {
        var problems: [String] = []
        for (name, share) in [("loss", loss), ("reorder", reorder), ("duplicate", duplicate)]
        where !(share >= 0 && share <= 1) {
            problems.append("\(name) must lie between 0 and 100 %")
        }
        switch episode {
        case .datagrams(let mean) where !(mean >= 1):
            problems.append("the mean burst must be at least 1")
        case .datagrams(let mean) where loss < 1 && loss / (mean * (1 - loss)) > 1:
            problems.append("a loss of \(loss * 100) % needs a mean burst of at least \(loss / (1 - loss))")
        case .time(let mean) where mean <= .zero:
            problems.append("the mean bad period must be longer than zero")
        default: break
        }
        if delay < .zero || jitter < .zero || queue < .zero || reorderDelayMax < .zero {
            problems.append("times must not be negative")
        }
        if let bitsPerSecond, bitsPerSecond <= 0 { problems.append("the rate must be above zero") }
        return problems
    }
}
