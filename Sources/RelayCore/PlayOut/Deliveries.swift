import ReflectorModel
import RelayWire

/// What an edge has delivered of a stream, or an encoder has sent; and where earlier incarnations were left.
struct Deliveries {
    private(set) var delivered: UInt64 = 0
    private(set) var lost: UInt64 = 0
    /// Edge: the last delivery; entrypoint: the encoder's last payload.
    private(set) var lastDelivery: MonotonicInstant?
    /// The longest time between two consecutive deliveries or payloads.
    private(set) var gapMax: TimeSpan = .zero
    /// Where earlier incarnations were left, so that a return to one delivers nothing twice.
    private(set) var finished: [(tag: IncarnationTag, nextToDeliver: UInt64)] = []

    /// Maximum number of finished incarnations to remember.
    private static let finishedMax = 32

    @inline(__always) mutating func noteDelivered(at now: MonotonicInstant) {
        delivered += 1
        noteTime(now)
    }

    /// A payload arrived from the encoder, or was delivered.
    @inline(__always) mutating func noteTime(_ now: MonotonicInstant) {
        if let last = lastDelivery { gapMax = max(gapMax, now - last) }
        lastDelivery = now
    }

    mutating func noteLost(_ count: UInt64) { lost &+= count }

    mutating func noteFinished(_ tag: IncarnationTag, nextToDeliver: UInt64) {
        finished.removeAll { $0.tag == tag }
        if finished.count >= Self.finishedMax { finished.removeFirst() }
        finished.append((tag, nextToDeliver))
    }

    /// The next number to deliver of an incarnation that was left; nil if it never was.
    func place(in tag: IncarnationTag) -> UInt64? { finished.first { $0.tag == tag }?.nextToDeliver }
}
