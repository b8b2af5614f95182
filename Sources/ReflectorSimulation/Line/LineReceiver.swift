import ReflectorModel
import RelayCore

/// Measures what one edge of a `LineSimulation` delivers. It uses the numbers in the payloads, not the edge's reports.
final class LineReceiver: StreamSink {
    /// How many packets each loss episode lost. Losses less than a second apart are one episode.
    private(set) var episodes: [Double] = []
    private var lastLoss = MonotonicInstant.zero
    private var next: UInt64 = 0
    private var lastAt = MonotonicInstant.zero

    /// The stream that is measured; packets of others are only counted.
    private let stream: StreamName
    private(set) var deliveredOfOthers: UInt64 = 0

    /// Packets that were sent from this instant on are counted.
    var countsFrom = MonotonicInstant.distantFuture
    private(set) var delivered: UInt64 = 0
    private(set) var lost: UInt64 = 0
    /// Number of packets delivered twice, out of order or with the wrong length; must stay 0.
    private(set) var wrong: UInt64 = 0
    /// Longest delay from the encoder to the streaming server.
    private(set) var delayMax = TimeSpan.zero
    private(set) var delaySum = TimeSpan.zero
    /// Longest time between two deliveries.
    private(set) var gapMax = TimeSpan.zero

    init(counting stream: StreamName) { self.stream = stream }

    /// The payload consists of the packet's number, which counts from 1, and the instant of sending, 8 bytes each.
    func deliver(_ payload: UnsafeRawBufferPointer, stream: StreamName, slot: Int, at now: MonotonicInstant) {
        guard stream == self.stream else {
            deliveredOfOthers += 1
            return
        }
        guard payload.count == 16 else {
            wrong += 1
            return
        }
        let number = payload.loadUnaligned(as: UInt64.self)
        let sent = MonotonicInstant(nanoseconds: payload.loadUnaligned(fromByteOffset: 8, as: Int64.self))
        defer {
            next = number + 1
            lastAt = now
        }
        guard sent >= countsFrom else { return }
        if next != 0, number < next { wrong += 1 }
        if next != 0, number > next { note(lost: number - next, at: now) }
        delivered += 1
        delayMax = max(delayMax, now - sent)
        delaySum = delaySum + (now - sent)
        if lastAt > countsFrom { gapMax = max(gapMax, now - lastAt) }
    }

    func discontinuity(stream: StreamName, lost: UInt64) {}
    func ended(stream: StreamName) {}

    private func note(lost count: UInt64, at now: MonotonicInstant) {
        lost += count
        if now - lastLoss > .seconds(1) || episodes.isEmpty {
            episodes.append(Double(count))
        } else {
            episodes[episodes.count - 1] += Double(count)
        }
        lastLoss = now
    }
}
