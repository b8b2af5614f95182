/// Puts the packets of an RTP stream in order (RFC 3550 §5.1): a network may reorder them, and MPEG-TS out of order is
/// broken. A packet that arrives early waits for the packets before it until they are considered lost.
struct RTPOrder {
    /// Maximum number of packets that wait.
    static let waitingMax = 64
    /// Longest wait, in ticks of the sender's 90 kHz clock (RFC 2250 §2): 50 ms.
    static let waitTicks: Int32 = 4_500
    /// A larger jump of the sequence numbers means that the sender has restarted.
    private static let stepMax = 1_000
    /// More late packets in a row than this mean that the sender has restarted with slightly lower numbers.
    private static let lateMax = 32

    private struct Packet {
        var number: UInt16
        var time: UInt32
        var payload: [UInt8]
    }

    /// In order of their sequence numbers.
    private var waiting: [Packet] = []
    private var next: UInt16?
    private var lateInRow = 0
    private var missing = 0

    /// Processes a packet, and passes on the payloads that are next in order.
    mutating func receive(
        _ number: UInt16, time: UInt32, _ payload: UnsafeRawBufferPointer, _ emit: TransportAligner.Emit
    ) {
        let ahead = Int(number &- (next ?? number))
        if ahead == 0 {
            pass(number, payload, emit)
            release(emit)
        } else if ahead <= Self.stepMax {
            lateInRow = 0
            keep(Packet(number: number, time: time, payload: Array(payload)))
            while let first = waiting.first,
                waiting.count > Self.waitingMax || Int32(bitPattern: time &- first.time) >= Self.waitTicks
            {
                giveUp(until: first.number)
                release(emit)
            }
        } else if ahead >= 0x1_0000 - Self.stepMax, lateInRow < Self.lateMax {
            // A duplicate, or a packet already counted as missing.
            lateInRow += 1
        } else {
            flush(emit)
            pass(number, payload, emit)
        }
    }

    /// Passes on all waiting packets.
    mutating func flush(_ emit: TransportAligner.Emit) {
        while let first = waiting.first {
            giveUp(until: first.number)
            release(emit)
        }
    }

    /// Packets counted as missing since the last call.
    mutating func takeMissing() -> Int {
        defer { missing = 0 }
        return missing
    }

    private mutating func keep(_ packet: Packet) {
        let place = distance(packet.number)
        let index = waiting.firstIndex { distance($0.number) >= place } ?? waiting.endIndex
        guard index == waiting.endIndex || waiting[index].number != packet.number else { return }
        waiting.insert(packet, at: index)
    }

    private func distance(_ number: UInt16) -> UInt16 { number &- (next ?? number) }

    private mutating func pass(
        _ number: UInt16, _ payload: UnsafeRawBufferPointer, _ emit: TransportAligner.Emit
    ) {
        next = number &+ 1
        lateInRow = 0
        emit(payload)
    }

    private mutating func giveUp(until number: UInt16) {
        missing += Int(distance(number))
        next = number
    }

    /// Passes on the waiting packets that are next in order.
    private mutating func release(_ emit: TransportAligner.Emit) {
        while let first = waiting.first, first.number == next {
            waiting.removeFirst()
            first.payload.withUnsafeBytes { pass(first.number, $0, emit) }
        }
    }
}
