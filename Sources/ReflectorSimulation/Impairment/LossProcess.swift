import Glibc
import ReflectorModel

/// Which datagrams are lost: a Gilbert–Elliott chain of a good state that passes everything and a bad state that loses
/// everything (Gilbert 1960, Elliott 1963), stepped by datagrams or by time. It starts in its stationary distribution.
struct LossProcess: Sendable {
    private enum Step: Sendable {
        /// Transition probabilities at each datagram: from good to bad, and from bad to good.
        case datagram(toBad: Double, toGood: Double)
        /// Rate at which the chain forgets its state: the sum of both transition rates, per nanosecond.
        case time(perNanosecond: Double)
    }

    private let loss: Double
    private let step: Step
    private var bad: Bool
    private var last: MonotonicInstant?

    init(loss: Double, episode: ImpairmentOptions.Episode, using generator: inout SeededGenerator) {
        self.loss = loss
        switch episode {
        case .independent:
            step = .datagram(toBad: loss, toGood: 1 - loss)
        case .datagrams(let mean):
            step = .datagram(toBad: loss >= 1 ? 1 : loss / (mean * (1 - loss)), toGood: loss >= 1 ? 0 : 1 / mean)
        case .time(let mean):
            // The transition rates are 1/mean (bad to good) and loss/(1 − loss)/mean (good to bad); this is their sum.
            step = .time(perNanosecond: 1 / ((1 - min(loss, 1)) * Double(max(mean.nanoseconds, 1))))
        }
        bad = generator.chance(loss)
    }

    /// Whether the datagram that arrives now is lost. A step back of `now` counts as no time.
    mutating func loses(at now: MonotonicInstant, using generator: inout SeededGenerator) -> Bool {
        if loss <= 0 { return false }
        if loss >= 1 { return true }
        switch step {
        case .datagram(let toBad, let toGood):
            bad = generator.chance(bad ? 1 - toGood : toBad)
        case .time(let perNanosecond):
            // This is the exact probability for an interval of any length, so a long silence needs no extra steps.
            let kept = last.map { exp(-perNanosecond * Double(max((now - $0).nanoseconds, 0))) } ?? 1
            bad = generator.chance(loss + ((bad ? 1 : 0) - loss) * kept)
            last = now
        }
        return bad
    }
}

extension SeededGenerator {
    /// Uniform in [0, 1), 53 bits.
    mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// True with the given probability.
    mutating func chance(_ probability: Double) -> Bool { unit() < probability }

    /// Uniform in [0, span).
    mutating func time(upTo span: TimeSpan) -> TimeSpan {
        TimeSpan(nanoseconds: Int64(unit() * Double(max(span.nanoseconds, 0))))
    }
}
