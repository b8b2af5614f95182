import ReflectorModel
import RelayWire

/// Whether the path to a child carries packets of the usual size, or only those that fit an MTU of 1280. This is
/// measured with datagrams of both sizes, because the ICMP messages of routers are often filtered. Probes are sent
/// while streams flow. They include even smaller datagrams, so that total loss is not mistaken for a path that is too
/// small.
///
/// ```
///        due ──▶ probing, 7 rounds ──a usual probe arrived────▶ usual, judged again after 60 s or when much is lost
///                               ├──only smaller ones arrived──▶ small, judged again after 60 s
///                               └──none arrived───────────────▶ as before
/// ```
struct PathSize {
    /// The result of a round of probing.
    enum Outcome: Equatable {
        case unchanged
        case becameSmall
        case becameUsual
        /// Not even the smaller packets get through.
        case tooSmall
    }

    static let rounds = 7
    static let roundSpan: TimeSpan = .milliseconds(150)
    /// How long a result is valid.
    static let span: TimeSpan = .seconds(60)
    /// Loss triggers a new measurement no sooner than this after the last result.
    static let suspicionSpan: TimeSpan = .seconds(5)
    /// Answers to smaller probes needed to conclude that the usual size is too large.
    private static let answersMin = 2
    /// Payload of the smallest probes, which every path carries.
    private static let payloadTiny = 128

    /// Largest payload that gets through; nil while unknown.
    private(set) var payload: Int?
    private(set) var nextStep: MonotonicInstant = .zero
    private var round = 0
    private var usual = 0
    private var small = 0
    private var tiny = 0
    private var judgedAt: MonotonicInstant?

    /// Returns the payloads of the probes to send now: none before `nextStep`. Called while the link has subscriptions.
    mutating func step(at now: MonotonicInstant) -> (probes: [Int], outcome: Outcome) {
        guard now >= nextStep else { return ([], .unchanged) }
        guard round < Self.rounds, usual == 0 else { return ([], conclude(at: now)) }
        round += 1
        nextStep = now + Self.roundSpan
        // Most paths carry the first probe, which has the usual size; only the other paths need the smaller probes.
        let probes = [WireLimits.payloadUsual, WireLimits.payloadOfSmallPath, Self.payloadTiny]
        return (round == 1 ? Array(probes.prefix(1)) : probes, .unchanged)
    }

    /// The child has received a probe of that many bytes.
    mutating func received(length: Int, at now: MonotonicInstant) {
        guard round > 0 else { return }
        switch length - WireLimits.dataOverhead {
        case WireLimits.payloadUsual:
            usual += 1
            nextStep = now
        case WireLimits.payloadOfSmallPath: small += 1
        case Self.payloadTiny: tiny += 1
        default: break
        }
    }

    /// The child misses many of the packets sent: the path may have changed.
    mutating func suspect(at now: MonotonicInstant) {
        guard round == 0, payload != WireLimits.payloadOfSmallPath else { return }
        if let judgedAt, now - judgedAt < Self.suspicionSpan { return }
        nextStep = now
    }

    private mutating func conclude(at now: MonotonicInstant) -> Outcome {
        defer {
            (round, usual, small, tiny) = (0, 0, 0, 0)
            judgedAt = now
            nextStep = now + Self.span
        }
        let before = payload
        if usual > 0 {
            payload = WireLimits.payloadUsual
            return before == WireLimits.payloadOfSmallPath ? .becameUsual : .unchanged
        }
        if small >= Self.answersMin {
            payload = WireLimits.payloadOfSmallPath
            return before == payload ? .unchanged : .becameSmall
        }
        return small == 0 && tiny >= Self.answersMin ? .tooSmall : .unchanged
    }
}
