import DatagramIO
import HeapModule
import ReflectorModel

/// Datagrams in flight on the impaired link, ordered by the time at which they leave it. The queue copies them; their
/// number and bytes are limited.
struct DepartureQueue: ~Copyable {
    static let countMax = 65_536
    static let bytesMax = 64 << 20

    struct Departure: Comparable {
        var at: MonotonicInstant
        /// Order of insertion, for equal instants.
        var order: UInt64
        var bytes: UnsafeMutableRawBufferPointer
        var socket: DatagramSocket
        var destination: Endpoint

        static func < (a: Departure, b: Departure) -> Bool { (a.at, a.order) < (b.at, b.order) }
        static func == (a: Departure, b: Departure) -> Bool { a.order == b.order }
    }

    private var heap = Heap<Departure>()
    private var bytes = 0
    private var order: UInt64 = 0
    /// Datagrams refused because the queue was full.
    private(set) var refused: UInt64 = 0

    deinit {
        for departure in heap.unordered { departure.bytes.deallocate() }
    }

    var next: MonotonicInstant? { heap.min?.at }
    var count: Int { heap.count }

    mutating func add(
        _ datagram: UnsafeMutableRawBufferPointer, at: MonotonicInstant, on socket: DatagramSocket,
        to destination: Endpoint
    ) {
        guard heap.count < Self.countMax, bytes + datagram.count <= Self.bytesMax else {
            refused &+= 1
            return
        }
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: datagram.count, alignment: 1)
        copy.copyMemory(from: UnsafeRawBufferPointer(datagram))
        bytes += datagram.count
        order &+= 1
        heap.insert(Departure(at: at, order: order, bytes: copy, socket: socket, destination: destination))
    }

    /// The next departure due at `now`. The caller deallocates its bytes.
    mutating func takeDue(at now: MonotonicInstant) -> Departure? {
        guard let next, next <= now, let departure = heap.popMin() else { return nil }
        bytes -= departure.bytes.count
        return departure
    }
}
