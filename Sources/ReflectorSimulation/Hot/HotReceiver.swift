import ReflectorModel
import RelayCore

/// The streaming server of a `HotSimulation`: which payloads arrive, by the numbers in them.
final class HotReceiver: StreamSink {
    private(set) var report = HotReport()
    private var last: UInt64 = 0
    private var lastAt: MonotonicInstant?
    private let countsFrom: MonotonicInstant
    /// When the encoder sent a payload.
    private let sentAt: (UInt64) -> MonotonicInstant

    init(countsFrom: MonotonicInstant, sentAt: @escaping (UInt64) -> MonotonicInstant) {
        self.countsFrom = countsFrom
        self.sentAt = sentAt
    }

    func deliver(_ payload: UnsafeRawBufferPointer, stream: StreamName, slot: Int, at now: MonotonicInstant) {
        guard let numbered = NumberedPayload(payload), numbered.session == 1 else {
            report.wrong += 1
            return
        }
        let sent = sentAt(numbered.number)
        defer { lastAt = now }
        if numbered.number <= last {
            report.repeated += 1
            return
        }
        last = numbered.number
        guard sent >= countsFrom else { return }
        report.delivered += 1
        if now - sent > HotFailures.deadline { report.late += 1 }
        report.delayMax = max(report.delayMax, now - sent)
        if let lastAt, lastAt >= countsFrom { report.gapMax = max(report.gapMax, now - lastAt) }
    }

    func discontinuity(stream: StreamName, lost: UInt64) {
        if lost == 0, lastAt != nil { report.discontinuities += 1 }
    }

    func ended(stream: StreamName) {}
}
