import ReflectorModel

/// Datagrams on their way, in fixed places of one memory, so that millions of them cost no allocation.
final class DatagramPool {
    /// Longest datagram.
    static let placeLength = 1_536
    private var memory: UnsafeMutableRawBufferPointer
    private var lengths: [Int]
    private var free: [Int32]

    init() {
        let count = 1_024
        memory = .allocate(byteCount: count * Self.placeLength, alignment: 16)
        lengths = Array(repeating: 0, count: count)
        free = (0..<Int32(count)).reversed()
    }

    deinit { memory.deallocate() }

    /// Copies a datagram in: its header and its body, laid end to end.
    func insert(_ header: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer) -> Int32 {
        if free.isEmpty { grow() }
        guard let place = free.popLast() else { return 0 }
        let target = UnsafeMutableRawBufferPointer(
            rebasing: memory[Int(place) * Self.placeLength..<(Int(place) + 1) * Self.placeLength])
        target.copyMemory(from: header)
        UnsafeMutableRawBufferPointer(rebasing: target[header.count...]).copyMemory(from: body)
        lengths[Int(place)] = header.count + body.count
        return place
    }

    /// The same datagram once more.
    func copy(_ place: Int32) -> Int32 {
        // The source is looked up again, since `grow` may have moved the memory.
        if free.isEmpty { grow() }
        return insert(self[place], UnsafeRawBufferPointer(start: nil, count: 0))
    }

    func remove(_ place: Int32) { free.append(place) }

    subscript(_ place: Int32) -> UnsafeRawBufferPointer {
        let start = Int(place) * Self.placeLength
        return UnsafeRawBufferPointer(rebasing: memory[start..<start + lengths[Int(place)]])
    }

    private func grow() {
        let count = lengths.count
        let larger = UnsafeMutableRawBufferPointer.allocate(
            byteCount: 2 * count * Self.placeLength, alignment: 16)
        larger.copyMemory(from: UnsafeRawBufferPointer(memory))
        memory.deallocate()
        memory = larger
        lengths.append(contentsOf: repeatElement(0, count: count))
        free.append(contentsOf: (Int32(count)..<Int32(2 * count)).reversed())
    }
}
