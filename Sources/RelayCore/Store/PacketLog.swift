import ReflectorModel
import RelayWire

/// The node's only packet store: one circular log for all streams. The oldest packet is overwritten first, so that the
/// byte budget holds without bookkeeping and every stream's ring reaches back equally far in time. Retransmits,
/// prebursts and all children send from the same bytes.
///
/// It wraps to its beginning as soon as the packets there are older than anybody requests. So it takes only as much
/// memory as the streams' rate requires, and stays in the processor's caches if it can.
///
/// A relay stores the sealed stream packet (header, ciphertext, tag); an edge stores the header and the plaintext.
final class PacketLog {
    /// Bytes per slot: the longest sealed stream packet, rounded up.
    static let slotLength = 1_456

    struct Slot {
        var tag = IncarnationTag(0)
        var sequence = SequenceNumber.none
        var arrival = MonotonicInstant.zero
        var length: UInt16 = 0
        var isFiller = false
    }

    private let memory: UnsafeMutableRawBufferPointer
    private let slots: UnsafeMutableBufferPointer<Slot>
    private var head = 0
    /// Slots in use so far. Never shrinks.
    private(set) var lap = 0
    private let span: TimeSpan

    /// - Parameters:
    ///   - packetsMax: maximum number of packets kept.
    ///   - span: a packet may be overwritten this long after its arrival, or earlier if the log is full.
    init(packetsMax: Int, span: TimeSpan) {
        self.span = span
        let count = max(packetsMax, 64)
        // The pages of this memory are only touched as the log fills, so an idle node stays small.
        memory = .allocate(byteCount: count * Self.slotLength, alignment: 64)
        slots = .allocate(capacity: count)
        slots.initialize(repeating: Slot())
    }

    deinit {
        memory.deallocate()
        slots.deallocate()
    }

    /// Copies a packet, the concatenation of `first` and `second`, into the log and returns its slot. The oldest packet
    /// is overwritten unless the log grows.
    func append(
        tag: IncarnationTag, sequence: SequenceNumber, arrival: MonotonicInstant, isFiller: Bool,
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer? = nil
    ) -> Int32 {
        let slot = nextSlot(at: arrival)
        let length = first.count + (second?.count ?? 0)
        precondition(length <= Self.slotLength, "PacketLog: packet longer than a slot")
        let target = UnsafeMutableRawBufferPointer(
            rebasing: memory[slot * Self.slotLength..<slot * Self.slotLength + length])
        target.copyMemory(from: first)
        if let second {
            UnsafeMutableRawBufferPointer(rebasing: target[first.count...]).copyMemory(from: second)
        }
        slots[slot] = Slot(
            tag: tag, sequence: sequence, arrival: arrival, length: UInt16(length), isFiller: isFiller)
        return Int32(slot)
    }

    /// Cycles through the lap. If that would overwrite a packet that is still needed, the lap grows instead.
    private func nextSlot(at now: MonotonicInstant) -> Int {
        var slot = head < lap ? head : 0
        if lap < slots.count, lap == 0 || slots[slot].arrival >= now - span {
            slot = lap
            lap += 1
        }
        head = slot + 1
        return slot
    }

    /// How far back in time a full log reaches; nil while it still grows or holds everything needed.
    func reach(at now: MonotonicInstant) -> TimeSpan? {
        guard lap == slots.count else { return nil }
        let reach = now - slots[head < lap ? head : 0].arrival
        return reach < span ? reach : nil
    }

    @inline(__always) func holds(_ slot: Int32, _ tag: IncarnationTag, _ sequence: SequenceNumber)
        -> Bool
    {
        slot >= 0 && slots[Int(slot)].sequence == sequence && slots[Int(slot)].tag == tag
    }

    @inline(__always) subscript(_ slot: Int32) -> Slot { slots[Int(slot)] }

    @inline(__always) func bytes(_ slot: Int32) -> UnsafeRawBufferPointer {
        let start = Int(slot) * Self.slotLength
        return UnsafeRawBufferPointer(rebasing: memory[start..<start + Int(slots[Int(slot)].length)])
    }
}

/// Where one incarnation's packets are in the log: sequence number → slot, over a sliding window.
struct SequenceIndex {
    /// Widest window in packets: 5 s at 10,000 packets a second, rounded up.
    static let windowMax: UInt64 = 65_536

    let tag: IncarnationTag
    private var slots: [Int32] = Array(repeating: -1, count: 1_024)
    /// Lowest number that may be held; no lower number is held.
    private(set) var lowest: UInt64 = 1
    /// Highest number held so far; 0 before the first.
    private(set) var highest: UInt64 = 0

    init(tag: IncarnationTag) { self.tag = tag }

    var isEmpty: Bool { highest == 0 }

    /// The slot of a number, if its packet is still in the log.
    @inline(__always) func slot(_ sequence: UInt64, in log: PacketLog) -> Int32? {
        guard sequence >= lowest, sequence <= highest else { return nil }
        let slot = slots[Int(truncatingIfNeeded: sequence) & (slots.count - 1)]
        return log.holds(slot, tag, SequenceNumber(sequence)) ? slot : nil
    }

    /// The lowest number, at least `first` and below `limit`, whose packet is held; `limit` if there is none. However
    /// far apart `first` and `limit` are, this checks no more numbers than the window has.
    func nextHeld(from first: UInt64, below limit: UInt64, in log: PacketLog, _ steps: inout UInt64)
        -> UInt64
    {
        var sequence = min(max(first, lowest), limit)
        while sequence < limit, sequence <= highest {
            if slot(sequence, in: log) != nil { return sequence }
            sequence += 1
            steps &+= 1
        }
        return limit
    }

    /// True if the number lies so far outside the window that it cannot be stored.
    func refuses(_ sequence: UInt64) -> Bool {
        if highest == 0 { return false }
        if sequence > highest { return sequence - highest > Self.windowMax }
        return highest - sequence >= Self.windowMax
    }

    mutating func insert(_ sequence: UInt64, slot: Int32) {
        if highest == 0 {
            lowest = sequence
            highest = sequence
        }
        let low = min(sequence, lowest)
        let high = max(sequence, highest)
        if high - low >= UInt64(slots.count) { grow(toSpan: high - low + 1) }
        if high > highest {
            // The places of skipped numbers must not keep entries from an earlier lap.
            var skipped = highest + 1
            while skipped < high {
                slots[Int(truncatingIfNeeded: skipped) & (slots.count - 1)] = -1
                skipped += 1
            }
            highest = high
            if high - lowest >= UInt64(slots.count) { lowest = high - UInt64(slots.count) + 1 }
        }
        if sequence < lowest {
            var skipped = sequence + 1
            while skipped < lowest {
                slots[Int(truncatingIfNeeded: skipped) & (slots.count - 1)] = -1
                skipped += 1
            }
            lowest = sequence
        }
        slots[Int(truncatingIfNeeded: sequence) & (slots.count - 1)] = slot
    }

    /// Forgets numbers whose packets the log has overwritten or that arrived before `horizon`, and returns the lowest
    /// one left (highest + 1 if none is).
    mutating func trim(_ log: PacketLog, horizon: MonotonicInstant) -> UInt64 {
        while lowest <= highest {
            if let slot = slot(lowest, in: log), log[slot].arrival >= horizon { break }
            lowest += 1
        }
        return lowest
    }

    private mutating func grow(toSpan span: UInt64) {
        var capacity = slots.count
        while UInt64(capacity) < span, UInt64(capacity) < Self.windowMax { capacity *= 2 }
        if capacity > slots.count {
            var larger = [Int32](repeating: -1, count: capacity)
            for sequence in lowest...max(highest, lowest) {
                let value = slots[Int(truncatingIfNeeded: sequence) & (slots.count - 1)]
                larger[Int(truncatingIfNeeded: sequence) & (capacity - 1)] = value
            }
            slots = larger
        }
    }
}
