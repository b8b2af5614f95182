import ReflectorModel

/// Datagrams on their way, in slots of fixed length in one buffer. The buffer grows only when all slots are taken.
final class DatagramPool {
    /// Maximum length of a datagram, in bytes.
    static let slotLength = 1_536
    private var memory: UnsafeMutableRawBufferPointer
    private var lengths: [Int]
    private var free: [Int32]

    init() {
        let count = 1_024
        memory = .allocate(byteCount: count * Self.slotLength, alignment: 16)
        lengths = Array(repeating: 0, count: count)
        free = (0..<Int32(count)).reversed()
    }

    deinit { memory.deallocate() }

    /// Copies a datagram into a free slot, its body directly after its header. Returns the slot.
    func insert(_ header: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer) -> Int32 {
        if free.isEmpty { grow() }
        guard let slot = free.popLast() else { return 0 }
        let target = UnsafeMutableRawBufferPointer(
            rebasing: memory[Int(slot) * Self.slotLength..<(Int(slot) + 1) * Self.slotLength])
        target.copyMemory(from: header)
        UnsafeMutableRawBufferPointer(rebasing: target[header.count...]).copyMemory(from: body)
        lengths[Int(slot)] = header.count + body.count
        return slot
    }

    /// Copies a datagram into another slot.
    func copy(_ slot: Int32) -> Int32 {
        // Grows before it looks up the source's bytes, because growing moves the buffer.
        if free.isEmpty { grow() }
        return insert(self[slot], UnsafeRawBufferPointer(start: nil, count: 0))
    }

    func remove(_ slot: Int32) { free.append(slot) }

    subscript(_ slot: Int32) -> UnsafeRawBufferPointer {
        let start = Int(slot) * Self.slotLength
        return UnsafeRawBufferPointer(rebasing: memory[start..<start + lengths[Int(slot)]])
    }

    private func grow() {
        let count = lengths.count
        let larger = UnsafeMutableRawBufferPointer.allocate(
            byteCount: 2 * count * Self.slotLength, alignment: 16)
        larger.copyMemory(from: UnsafeRawBufferPointer(memory))
        memory.deallocate()
        memory = larger
        lengths.append(contentsOf: repeatElement(0, count: count))
        free.append(contentsOf: (Int32(count)..<Int32(2 * count)).reversed())
    }
}
