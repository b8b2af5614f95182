import DatagramIO
import ReflectorModel

/// A numbered stream that is fed continuously, and its output in each of many consecutive spans.
final class MeasuredStream {
    let rate: Double
    let meter = DeliveryMeter()
    private let deadline: TimeSpan
    private let loop: DatagramLoop
    private let feed: LoopBound<NumberedFeed>
    private var from: UInt64 = 1
    private var to: UInt64 = 0
    private var duplicates: UInt64 = 0
    private var outOfOrder: UInt64 = 0

    /// The output of one span.
    struct Outcome {
        var packets = 0
        var lost = 0
        /// Packets that arrived later than the play-out deadline after they were sent.
        var late = 0
        var duplicates: UInt64 = 0
        var outOfOrder: UInt64 = 0
        /// Longest time without a packet.
        var gap = TimeSpan.zero

        var isFlawless: Bool { packets > 0 && lost + late == 0 && duplicates == 0 && outOfOrder == 0 }

        static func + (a: Outcome, b: Outcome) -> Outcome {
            Outcome(
                packets: a.packets + b.packets, lost: a.lost + b.lost, late: a.late + b.late,
                duplicates: a.duplicates + b.duplicates, outOfOrder: a.outOfOrder + b.outOfOrder,
                gap: max(a.gap, b.gap))
        }
    }

    /// - Parameters:
    ///   - number: number of the stream in the testbed.
    ///   - deadline: time after its sending within which each packet must arrive.
    init(_ number: Int, rate: Double, deadline: TimeSpan, testbed: DeliveryTestbed) throws {
        guard let source = IPAddress(testbed.feed), let target = Endpoint(testbed.encoderPort(number)) else {
            throw Companion.Failure(description: "net \(testbed.net): no addresses")
        }
        self.rate = rate
        self.deadline = deadline
        let loop = try DatagramLoop()
        self.loop = loop
        feed = try loop.start(
            handler: NumberedFeed(
                loop: loop, from: source, to: [target], sinks: [], meters: [], rate: rate, packets: 1 << 23),
            name: "feed")
    }

    /// Starts the measurement after the packets sent so far.
    func begin() async {
        from = await sent() + 1
        (duplicates, outOfOrder) = (meter.duplicates, meter.outOfOrder)
        meter.restart()
    }

    /// The span that `finish` measures ends with the packet sent last.
    func mark() async { to = await sent() }

    /// Call this when all packets up to the mark are played out or lost; the next span starts at the mark.
    func finish() -> Outcome {
        var outcome = Outcome(
            late: meter.late(after: deadline), duplicates: meter.duplicates - duplicates,
            outOfOrder: meter.outOfOrder - outOfOrder, gap: meter.gapMax)
        if from <= to {
            outcome.packets = Int(to - from + 1)
            outcome.lost = meter.missing(in: from...to)
        }
        from = to + 1
        (duplicates, outOfOrder) = (meter.duplicates, meter.outOfOrder)
        meter.restart()
        return outcome
    }

    func stop() { loop.stop() }

    private func sent() async -> UInt64 {
        let feed = feed
        return await loop.query { feed.value.sent } ?? 0
    }
}
