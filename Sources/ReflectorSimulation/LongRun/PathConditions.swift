import Glibc
import ReflectorModel

/// The conditions of one path over a long run: bad episodes with long quiet times between them. In an episode there are
/// bursts in which everything is lost: `loss` is their share of the time, `burst` their mean length. All times are
/// random.
///
///     ───────quiet───────|▁▁█▁▁▁█▁▁▁▁▁██▁▁ episode ▁▁▁█▁▁▁▁▁██▁▁|───────quiet───────
struct PathConditions {
    struct Episode {
        var start: Int64
        var end: Int64
        /// Share of the time in which everything is lost.
        var loss: Double
        /// The bursts in which everything is lost, in nanoseconds and in order of time.
        var bursts: [(from: Int64, to: Int64)]
    }

    private(set) var episodes: [Episode] = []

    /// - Parameters:
    ///   - quiet: mean time between episodes.
    ///   - bad: their mean length.
    init(span: TimeSpan, quiet: TimeSpan, bad: TimeSpan, _ random: inout SeededGenerator) {
        var at = random.exponential(quiet)
        while at < span.nanoseconds {
            let end = min(at + max(random.exponential(bad), 5_000_000_000), span.nanoseconds)
            // Log-uniform: mostly light losses in short bursts, sometimes the path is nearly dead.
            let loss = 0.005 * random.power(of: 180)
            let burst = 5_000_000 * random.power(of: 160)
            episodes.append(
                Episode(start: at, end: end, loss: loss, bursts: Self.bursts(at..<end, loss, burst, &random)))
            at = end + random.exponential(quiet)
        }
    }

    private static func bursts(
        _ range: Range<Int64>, _ loss: Double, _ burst: Double, _ random: inout SeededGenerator
    ) -> [(from: Int64, to: Int64)] {
        var bursts: [(from: Int64, to: Int64)] = []
        let good = TimeSpan(nanoseconds: Int64(burst * (1 - loss) / loss))
        let bad = TimeSpan(nanoseconds: Int64(burst))
        var at = range.lowerBound + random.exponential(good)
        while at < range.upperBound {
            let end = min(at + random.exponential(bad), range.upperBound)
            bursts.append((at, end))
            at = end + random.exponential(good)
        }
        return bursts
    }
}

/// Reads the conditions of a path forward in time.
struct PathConditionsCursor {
    let conditions: PathConditions
    private var episode = 0
    private var burst = 0

    init(_ conditions: PathConditions) { self.conditions = conditions }

    /// The episode at `at`, or the next one.
    mutating func next(at: Int64) -> PathConditions.Episode? {
        while episode < conditions.episodes.count, conditions.episodes[episode].end <= at {
            episode += 1
            burst = 0
        }
        return episode < conditions.episodes.count ? conditions.episodes[episode] : nil
    }

    /// The share of loss of the episode at `at`; 0 in quiet time.
    mutating func loss(at: Int64) -> Double {
        guard let episode = next(at: at), episode.start <= at else { return 0 }
        return episode.loss
    }

    /// The start of the episode at `at`, or of the next one; `.max` if there are no more.
    mutating func nextStart(at: Int64) -> Int64 {
        _ = next(at: at)
        return episode < conditions.episodes.count ? conditions.episodes[episode].start : .max
    }

    /// Whether a packet passes at `at`. `at` must not decrease from call to call.
    mutating func passes(at: Int64) -> Bool {
        _ = next(at: at)
        guard episode < conditions.episodes.count, conditions.episodes[episode].start <= at else { return true }
        let count = conditions.episodes[episode].bursts.count
        while burst < count, conditions.episodes[episode].bursts[burst].to <= at { burst += 1 }
        return burst == count || conditions.episodes[episode].bursts[burst].from > at
    }

    /// Like `passes`, for a slightly later instant and without moving the cursor.
    func passesLater(at: Int64) -> Bool {
        var episode = episode
        var burst = burst
        while episode < conditions.episodes.count, conditions.episodes[episode].end <= at {
            episode += 1
            burst = 0
        }
        guard episode < conditions.episodes.count, conditions.episodes[episode].start <= at else { return true }
        let count = conditions.episodes[episode].bursts.count
        while burst < count, conditions.episodes[episode].bursts[burst].to <= at { burst += 1 }
        return burst == count || conditions.episodes[episode].bursts[burst].from > at
    }
}

extension SeededGenerator {
    /// Exponentially distributed with the given mean, in nanoseconds.
    mutating func exponential(_ mean: TimeSpan) -> Int64 {
        Int64(-log(1 - unit()) * Double(mean.nanoseconds))
    }

    /// Log-uniform between 1 and `top`.
    mutating func power(of top: Double) -> Double { pow(top, unit()) }
}
