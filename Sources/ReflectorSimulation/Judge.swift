import ReflectorModel
import RelayCore

/// Collects what the promises say, and stops nothing: a run shows all that it breaks, the first first.
final class Judge {
    /// A promise that was broken.
    struct Violation {
        var at: MonotonicInstant
        var text: String
    }

    private(set) var violations: [Violation] = []
    private(set) var violationCount = 0
    var now = MonotonicInstant.zero

    func broken(_ text: @autoclosure () -> String) {
        violationCount += 1
        if violations.count < 12 { violations.append(Violation(at: now, text: text())) }
    }
}

/// What one edge's streaming server gets of one stream, over all restarts of the edge.
struct StreamReceipt {
    /// Last number of each encoder session: nothing at or below it may come again.
    private var last: [(session: UInt64, number: UInt64)] = []
    private(set) var session: UInt64?
    private(set) var delivered: UInt64 = 0
    private(set) var missing: UInt64 = 0
    /// Packets that the edge said to be lost since the last delivery.
    private var announcedLost: UInt64 = 0
    private var isSpliced = false
    private(set) var splicedAt: MonotonicInstant?
    private(set) var lastAt: MonotonicInstant?
    private(set) var gapMax = TimeSpan.zero
    var wantedAt: MonotonicInstant?
    private(set) var firstAfter: TimeSpan?
    private(set) var sourceChanges = 0

    var lastNumber: UInt64 { last.first { $0.session == session }?.number ?? 0 }

    /// In order, nothing twice, nothing missing without a word (design §7), for each incarnation.
    mutating func take(_ payload: NumberedPayload, at now: MonotonicInstant, edge: String, _ judge: Judge) {
        delivered += 1
        if let lastAt { gapMax = max(gapMax, now - lastAt) } else if let wantedAt { firstAfter = now - wantedAt }
        lastAt = now
        let index = last.firstIndex { $0.session == payload.session }
        if let index {
            let before = last[index].number
            if payload.number <= before {
                judge.broken(
                    "\(edge) stream \(payload.stream): number \(payload.number) after \(before) of session "
                        + "\(payload.session): \(payload.number == before ? "twice" : "out of order or twice")")
                return
            }
            if session == payload.session, !isSpliced, payload.number > before + 1 {
                let skipped = payload.number - before - 1
                missing += skipped
                if announcedLost < skipped {
                    judge.broken(
                        "\(edge) stream \(payload.stream): \(skipped) missing before \(payload.number), "
                            + "\(announcedLost) said to be lost")
                }
            }
            last[index].number = payload.number
        } else {
            last.append((payload.session, payload.number))
        }
        if let session, session != payload.session { sourceChanges += 1 }
        if isSpliced || session != payload.session { splicedAt = now }
        session = payload.session
        announcedLost = 0
        isSpliced = false
    }

    /// 0 announces another source or incarnation: what follows need not join what was before.
    mutating func note(lost: UInt64) {
        announcedLost += lost
        if lost == 0 { isSpliced = true }
    }

    /// The streaming server starts anew: the edge crashed, or its viewers had gone.
    mutating func restart(wantedAt: MonotonicInstant?) {
        last = []
        session = nil
        lastAt = nil
        announcedLost = 0
        isSpliced = false
        self.wantedAt = wantedAt
    }
}

/// The streaming server of a simulated edge.
final class Receiver: StreamSink {
    let name: String
    let streams: [StreamName]
    let judge: Judge
    var canary: Canary?
    var tell: ((String) -> Void)?
    private(set) var receipts: [StreamReceipt]
    private var held: NumberedPayload?

    init(name: String, streams: [StreamName], judge: Judge) {
        self.name = name
        self.streams = streams
        self.judge = judge
        receipts = streams.map { _ in StreamReceipt() }
    }

    func deliver(_ payload: UnsafeRawBufferPointer, stream: StreamName, at now: MonotonicInstant) {
        guard let index = streams.firstIndex(of: stream) else { return judge.broken("\(name): \(stream) delivered") }
        guard let numbered = NumberedPayload(payload), numbered.stream == index else {
            return judge.broken("\(name) \(stream): a payload that no encoder sent")
        }
        if let lastAt = receipts[index].lastAt, now - lastAt > .milliseconds(300) {
            tell?("\(name): \(stream): nothing for \((now - lastAt).milliseconds) ms")
        }
        for one in tampered(numbered) { receipts[index].take(one, at: now, edge: name, judge) }
    }

    func discontinuity(stream: StreamName, lost: UInt64) {
        tell?("\(name): \(stream): discontinuity, \(lost) lost")
        if let index = streams.firstIndex(of: stream) { receipts[index].note(lost: lost) }
    }

    func ended(stream: StreamName) {
        tell?("\(name): \(stream): ended")
        if let index = streams.firstIndex(of: stream) { receipts[index].restart(wantedAt: nil) }
    }

    func restart(at now: MonotonicInstant, isWanted: (Int) -> Bool) {
        for index in receipts.indices { receipts[index].restart(wantedAt: isWanted(index) ? now : nil) }
    }

    func want(_ stream: Int, at now: MonotonicInstant) {
        if receipts[stream].lastAt == nil { receipts[stream].wantedAt = now }
    }

    /// What a broken edge would hand out instead.
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
