import ReflectorModel
import RelayCore

/// The streaming server of a simulated edge.
final class EdgeReceiver: StreamSink {
    let name: String
    let streams: [StreamName]
    private let invariants: InvariantChecker
    var canary: Canary?
    /// Receives a line of text for each discontinuity, long silence and end of a stream.
    var log: ((String) -> Void)?
    private(set) var receipts: [StreamReceipt]
    private var held: NumberedPayload?

    init(
        name: String, streams: [StreamName], _ invariants: InvariantChecker
    ) {
        self.name = name
        self.streams = streams
        self.invariants = invariants
        receipts = streams.map { _ in StreamReceipt() }
    }

    func deliver(_ payload: UnsafeRawBufferPointer, stream: StreamName, slot: Int, at now: MonotonicInstant) {
        guard let index = streams.firstIndex(of: stream) else {
            return invariants.violate("\(name): \(stream) delivered", at: now)
        }
        guard let numbered = NumberedPayload(payload), numbered.stream == index else {
            return invariants.violate("\(name) \(stream): a payload that no encoder sent", at: now)
        }
        if let lastAt = receipts[index].lastAt, now - lastAt > .milliseconds(300) {
            log?("\(name): \(stream): nothing for \((now - lastAt).milliseconds) ms")
        }
        for one in tampered(numbered) { receipts[index].take(one, at: now, edge: name, invariants) }
    }

    func discontinuity(stream: StreamName, lost: UInt64) {
        log?("\(name): \(stream): discontinuity, \(lost) lost")
        if let index = streams.firstIndex(of: stream) { receipts[index].note(lost: lost) }
    }

    func ended(stream: StreamName) {
        log?("\(name): \(stream): ended")
        if let index = streams.firstIndex(of: stream) { receipts[index].restart(wantedAt: nil) }
    }

    func restart(at now: MonotonicInstant, isWanted: (Int) -> Bool) {
        for index in receipts.indices { receipts[index].restart(wantedAt: isWanted(index) ? now : nil) }
    }

    func want(_ stream: Int, at now: MonotonicInstant) {
        if receipts[stream].lastAt == nil { receipts[stream].wantedAt = now }
    }

    /// The payloads that an edge with the canary's bug delivers in place of this one.
    private func tampered(_ payload: NumberedPayload) -> [NumberedPayload] {
        let isDue = payload.number % 500 == 0
        switch canary {
        case .deliverTwice where isDue: return [payload, payload]
        case .swallow where isDue: return []
        case .swapOrder where isDue && held == nil:
            held = payload
            return []
        case .swapOrder:
            defer { held = nil }
            return [payload] + (held.map { [$0] } ?? [])
        default: return [payload]
        }
    }
}
