import ReflectorModel

/// Outgoing control datagrams: complete and already authenticated, in one bounded buffer.
struct ControlQueue {
    private struct Entry {
        var destination: Endpoint
        var local: UInt8
        var offset: Int
        var length: Int
    }

    /// Freed together with the queue.
    private final class Memory {
        let bytes: UnsafeMutableRawBufferPointer
        init(count: Int) { bytes = .allocate(byteCount: count, alignment: 16) }
        deinit { bytes.deallocate() }
    }

    private let owner: Memory
    private let memory: UnsafeMutableRawBufferPointer
    private var entries: [Entry] = []
    private var used = 0
    private var sent = 0

    init(bytesMax: Int) {
        owner = Memory(count: bytesMax)
        memory = owner.bytes
    }

    var isEmpty: Bool { sent == entries.count }

    /// Appends the datagram of at most `lengthMax` bytes that `write` produces. `write` returns its length, or 0 if
    /// there is nothing to send. False if the queue is full.
    mutating func append(
        to destination: Endpoint, from local: UInt8, lengthMax: Int,
        _ write: (UnsafeMutableRawBufferPointer) -> Int
    ) -> Bool {
        guard used + lengthMax <= memory.count else { return false }
        let length = write(UnsafeMutableRawBufferPointer(rebasing: memory[used..<used + lengthMax]))
        if length > 0 {
            entries.append(Entry(destination: destination, local: local, offset: used, length: length))
            used += length
        }
        return true
    }

    /// Moves as many datagrams as fit into the batch. Returns their number.
    mutating func drain(into batch: inout DatagramBatch) -> Int {
        let before = sent
        while sent < entries.count, batch.hasRoom(headerLength: entries[sent].length) {
            let entry = entries[sent]
            let bytes = UnsafeRawBufferPointer(
                rebasing: memory[entry.offset..<entry.offset + entry.length])
            batch.append(
                to: entry.destination, from: entry.local, headerLengthMax: entry.length, body: nil
            ) { target in
                target.copyMemory(from: bytes)
                return entry.length
            }
            sent += 1
        }
        let moved = sent - before
        if sent == entries.count {
            entries.removeAll(keepingCapacity: true)
            used = 0
            sent = 0
        }
        return moved
    }
}
