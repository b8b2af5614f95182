import ReflectorModel
import RelayCore

/// The streaming server of a simulated edge.
final class EdgeReceiver: StreamSink {
    let name: String
    let streams: [StreamName]
    private let invariants: InvariantChecker
    var canary: Canary?
    /// The fault of `ElectionCanary.mixSources`: a packet of the earlier source is delivered among those of the present
    /// one.
    var mixesSources = false
    /// Receives a line of text for each discontinuity, long silence and end of a stream.
    var log: ((String) -> Void)?
    private(set) var receipts: [StreamReceipt]
    private var held: NumberedPayload?
    /// For each stream: the last packet, and the packet that would have followed the last one of the earlier source.
    private var latest: [NumberedPayload?]
    private var foreign: [NumberedPayload?]

    init(
        name: String, streams: [StreamName], _ invariants: InvariantChecker
    ) {
        self.name = name
        self.streams = streams
        self.invariants = invariants
        receipts = streams.map { _ in StreamReceipt() }
        latest = streams.map { _ in nil }
        foreign = latest
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

    /// Begins to measure the gaps of all streams.
    func measureGaps(from now: MonotonicInstant) {
        for index in receipts.indices { receipts[index].measureGaps(from: now) }
    }

    /// A packet of the earlier source, if the source has changed and the present one has sent three packets.
    private func takeForeign(_ payload: NumberedPayload) -> NumberedPayload? {
        let index = payload.stream
        if var last = latest[index], last.session != payload.session {
            last.number += 1
            foreign[index] = last
        }
        latest[index] = payload
        guard payload.number % 4 == 3, let found = foreign[index] else { return nil }
        foreign[index] = nil
        return found
    }

    /// The payloads that an edge with the canary's bug delivers in place of this one.
    private func tampered(_ payload: NumberedPayload) -> [NumberedPayload] {
        if mixesSources, let foreign = takeForeign(payload) { return [payload, foreign] }
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
