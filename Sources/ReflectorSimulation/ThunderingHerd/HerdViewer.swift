import ReflectorModel
import RelayCore

/// The streaming server of one region in a `ThunderingHerdSimulation`. It measures with the numbers in the payloads,
/// not with the reports of the edge.
final class HerdViewer: StreamSink {
    struct Flow {
        let stream: Int
        var last: UInt64 = 0
        var lastAt = MonotonicInstant.zero
        var delivered: UInt64 = 0
        var lost: UInt64 = 0
        var wrong: UInt64 = 0
        var gapMax = TimeSpan.zero
        var delayMax = TimeSpan.zero
    }

    private(set) var flows: [Flow]
    /// Deliveries from this instant on are counted.
    private let countsFrom: MonotonicInstant

    init(streams: [Int], countsFrom: MonotonicInstant) {
        flows = streams.map { Flow(stream: $0) }
        self.countsFrom = countsFrom
    }

    /// Payload: the stream, the number from 1 and the instant of sending, 8 bytes each, and padding.
    func deliver(_ payload: UnsafeRawBufferPointer, stream: StreamName, slot: Int, at now: MonotonicInstant) {
        guard payload.count >= 24 else { return }
        let number = payload.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
        let sent = MonotonicInstant(nanoseconds: payload.loadUnaligned(fromByteOffset: 16, as: Int64.self))
        guard let index = flows.firstIndex(where: { $0.stream == payload.loadUnaligned(as: Int.self) }) else { return }
        let last = flows[index].last
        let lastAt = flows[index].lastAt
        flows[index].last = max(last, number)
        flows[index].lastAt = now
        // Losses and repetitions count from the first packet on, not only from `countsFrom`.
        if last != 0, number <= last { flows[index].wrong += 1 }
        if last != 0, number > last + 1 { flows[index].lost += number - last - 1 }
        guard now >= countsFrom else { return }
        flows[index].delivered += 1
        flows[index].delayMax = max(flows[index].delayMax, now - sent)
        if lastAt >= countsFrom { flows[index].gapMax = max(flows[index].gapMax, now - lastAt) }
    }

    func discontinuity(stream: StreamName, lost: UInt64) {}
    func ended(stream: StreamName) {}
}
