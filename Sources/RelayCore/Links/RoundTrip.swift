import ReflectorModel

/// Smoothed round-trip time and its variation, from echoed timestamps (RFC 6298 §2).
struct RoundTrip {
    private(set) var smoothed: TimeSpan?
    private(set) var variation: TimeSpan = .zero

    mutating func sample(_ rtt: TimeSpan) {
        guard rtt >= .zero, rtt < .seconds(30) else { return }
        guard let old = smoothed else {
            smoothed = rtt
            variation = rtt / 2
            return
        }
        let error = rtt > old ? rtt - old : old - rtt
        variation = (variation * 3 + error) / 4
        smoothed = (old * 7 + rtt) / 8
    }

    /// Allowance for what a measurement does not include: the other end's flush delay and both ends' timers (RFC 6298's
    /// G).
    private static let granularity = TimeSpan.milliseconds(2)

    /// How long to wait before an unanswered request is repeated: SRTT + 4·RTTVAR, at least 10 ms; 100 ms before the
    /// first measurement.
    var retransmitTimeout: TimeSpan {
        guard let smoothed else { return .milliseconds(100) }
        return max(smoothed + max(variation * 4, Self.granularity), .milliseconds(10))
    }

    /// How long a peer that runs takes at most to answer a question, if neither question nor answer is lost:
    /// 2·SRTT + 4·RTTVAR, at least 50 ms; 150 ms before the first measurement.
    var answerPatience: TimeSpan {
        smoothed == nil ? .milliseconds(150) : silenceMax(atLeast: .milliseconds(50))
    }

    /// Silence after which a link is dead: `floor`, or 2·SRTT + 4·RTTVAR if that is longer (design §7), but no more than
    /// 3 s: a peer that answers late on purpose must not keep a dead link for long.
    func silenceMax(atLeast floor: TimeSpan) -> TimeSpan {
        guard let smoothed else { return floor }
        return max(floor, min(smoothed * 2 + variation * 4, Self.silenceLongest))
    }

    private static let silenceLongest = TimeSpan.seconds(3)
}

/// The timestamp to echo: the other end's newest one, and when it arrived.
struct TimestampEcho {
    private var timestamp: UInt64 = 0
    private var arrival: MonotonicInstant = .zero

    mutating func note(_ timestamp: UInt64, at now: MonotonicInstant) {
        self.timestamp = timestamp
        arrival = now
    }

    /// The fields to write: the timestamp and how long it was held, in microseconds. Zero if there is none.
    func fields(at now: MonotonicInstant) -> (timestamp: UInt64, delayMicroseconds: UInt32) {
        guard timestamp != 0 else { return (0, 0) }
        return (timestamp, UInt32(clamping: (now - arrival).nanoseconds / 1_000))
    }

    /// The local clock in wire format: microseconds, never 0.
    static func stamp(_ now: MonotonicInstant) -> UInt64 { UInt64(max(now.nanoseconds / 1_000, 1)) }

    /// Round-trip time from an echo of our own stamp. Nil if there is no echo, or if the time is implausible.
    static func roundTrip(_ echoed: UInt64, delayMicroseconds: UInt32, at now: MonotonicInstant)
        -> TimeSpan?
    {
        guard echoed != 0 else { return nil }
        let elapsed = Int64(clamping: stamp(now)) &- Int64(clamping: echoed) &- Int64(delayMicroseconds)
        guard elapsed >= 0, elapsed < 30_000_000 else { return nil }
        return .microseconds(elapsed)
    }
}
