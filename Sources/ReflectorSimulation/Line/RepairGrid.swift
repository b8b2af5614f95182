import ReflectorModel

/// The grid of conditions under which repair is measured. Each point is a loss and a mean burst on one link, in both
/// directions, driven by packets or by time. Each point has its own limits.
public struct RepairGrid: Sendable {
    /// One kind of loss, with its limits.
    public struct Point: Sendable {
        /// Per cent.
        public let loss: Double
        /// Mean length of a burst, in packets.
        public let burst: Double
        public let isTimeDriven: Bool
        /// Maximum residual loss and maximum retransmit overhead, in per cent.
        public let residualMax: Double
        public let overheadMax: Double

        public var name: String {
            "\(RepairGrid.text(loss)) % / \(RepairGrid.text(burst)), \(isTimeDriven ? "time" : "packets")"
        }
    }

    /// All points: first those that are driven by packets, then the same driven by time.
    public static let points: [Point] = {
        let rows: [(loss: Double, burst: Double, packets: Double, time: Double, overhead: Double)] = [
            (1, 1, 0.000_5, 0.000_2, 1.1), (1, 5, 0.001, 0.000_5, 1.15), (3, 1, 0.001, 0.001, 3.5),
            (3, 5, 0.010, 0.003, 3.5), (10, 1, 0.05, 0.05, 13), (10, 5, 0.15, 0.08, 13),
        ]
        return [false, true].flatMap { isTimeDriven in
            rows.map {
                Point(
                    loss: $0.loss, burst: $0.burst, isTimeDriven: isTimeDriven,
                    residualMax: isTimeDriven ? $0.time : $0.packets, overheadMax: $0.overhead)
            }
        }
    }()

    /// The figures of one point.
    public struct Result: Sendable {
        public let point: Point
        public let report: LineReport
        /// The upper confidence bound must be within the limit, not only the mean: with few packets the mean proves
        /// nothing.
        public var isResidualGood: Bool { report.lossPercentBound <= point.residualMax }
        public var isOverheadGood: Bool { report.overheadPercent <= point.overheadMax }
        public var isGood: Bool { isResidualGood && isOverheadGood && report.wrong == 0 }
    }

    public var packets: UInt64
    public var seed: UInt64
    public var playOutDeadline = TimeSpan.milliseconds(120)
    public var roundTrip = TimeSpan.milliseconds(40)
    public var packetsPerSecond: Int64 = 1_000
    /// Number of set reflectors between entrypoint and edge. Only the last link loses packets.
    public var sets = 0

    public init(packets: UInt64, seed: UInt64) {
        self.packets = packets
        self.seed = seed
    }

    public func run(_ point: Point) -> Result {
        var options = LineOptions()
        options.sets = sets
        options.packets = packets
        options.packetsPerSecond = packetsPerSecond
        options.playOutDeadline = playOutDeadline
        options.seed = FixedHash.combine(
            seed, UInt64(point.loss * 1_000 + point.burst * 2 + (point.isTimeDriven ? 1 : 0)))
        options.lastHop.delay = roundTrip / 2
        options.lastHop.loss = point.loss / 100
        let interval = 1_000_000_000 / packetsPerSecond
        if point.isTimeDriven {
            options.lastHop.episode = .time(TimeSpan(nanoseconds: Int64(point.burst * Double(interval))))
        } else {
            options.lastHop.episode = point.burst > 1 ? .datagrams(point.burst) : .independent
        }
        let report = LineSimulation(options)?.run() ?? LineReport()
        return Result(point: point, report: report)
    }

    /// A number without trailing zeros, at most six decimals.
    public static func text(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e12 else { return "?" }
        let scaled = (abs(value) * 1e6).rounded()
        var digits = String(UInt64(scaled) % 1_000_000)
        digits = String(repeating: "0", count: 6 - digits.count) + digits
        while digits.last == "0" { digits.removeLast() }
        let whole = String(UInt64(scaled) / 1_000_000)
        return (value < 0 ? "-" : "") + (digits.isEmpty ? whole : whole + "." + digits)
    }
}
