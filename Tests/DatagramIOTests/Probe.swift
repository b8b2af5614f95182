import Glibc
import ReflectorModel

@testable import DatagramIO

/// A handler that keeps a copy of everything it receives, and stops its loop once it has received enough.
final class Probe: DatagramHandler {
    struct Seen {
        var bytes: [UInt8]
        var source: Endpoint
        var local: IPAddress
    }

    let loop: DatagramLoop
    var seen: [Seen] = []
    /// The datagrams that other hosts refused: destination and first bytes.
    var refused: [(destination: Endpoint, quoted: [UInt8])] = []
    var batches = 0
    var fired: [MonotonicInstant] = []
    var stopAfter = Int.max
    var onReceive: ((ReceivedDatagram, DatagramSocket) -> Void)?
    var onBatch: ((DatagramSocket) -> Void)?
    var onTimer: ((MonotonicInstant) -> Void)?

    init(_ loop: DatagramLoop) { self.loop = loop }

    func receive(_ datagram: ReceivedDatagram, on socket: DatagramSocket, at now: MonotonicInstant) {
        seen.append(Seen(bytes: Array(datagram.bytes), source: datagram.source, local: datagram.local))
        onReceive?(datagram, socket)
        if seen.count >= stopAfter { loop.stop() }
    }

    func portUnreachable(_ refused: RefusedDatagram, on socket: DatagramSocket, at now: MonotonicInstant) {
        self.refused.append((refused.destination, Array(refused.quoted)))
    }

    func batchEnded(on socket: DatagramSocket, at now: MonotonicInstant) {
        batches += 1
        onBatch?(socket)
    }

    func timerFired(at now: MonotonicInstant) {
        fired.append(now)
        onTimer?(now)
    }

    /// Runs until this many datagrams have arrived, or `limit` has passed if there is no `onTimer`.
    func run(datagrams: Int, within limit: TimeSpan = .seconds(5)) {
        stopAfter = datagrams
        let loop = loop
        if onTimer == nil {
            onTimer = { _ in loop.stop() }
            loop.nextWakeup = loop.now + limit
        }
        loop.run(handler: self)
    }
}

/// A batch with its memory. Bodies are copied, and stay in memory as long as the outbox.
final class Outbox {
    var batch: DatagramBatch
    private let headers: UnsafeMutableRawBufferPointer
    private var bodies: [UnsafeMutableRawBufferPointer] = []

    init(countMax: Int = 4_096) {
        headers = .allocate(byteCount: 1 << 20, alignment: 16)
        batch = DatagramBatch(countMax: countMax, headers: headers)
    }

    deinit {
        headers.deallocate()
        for body in bodies { body.deallocate() }
    }

    func add(_ header: [UInt8], body: [UInt8]? = nil, to destination: Endpoint) {
        var borrowed: UnsafeRawBufferPointer?
        if let body {
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: body.count, alignment: 1)
            copy.copyBytes(from: body)
            bodies.append(copy)
            borrowed = UnsafeRawBufferPointer(copy)
        }
        batch.append(to: destination, headerLengthMax: header.count, body: borrowed) { slot in
            slot.copyBytes(from: header)
            return header.count
        }
    }
}

func loopback(_ text: String, port: UInt16 = 0) -> Endpoint {
    Endpoint(address: IPAddress(text) ?? IPAddress(v4: 0x7f00_0001), port: port)
}

/// A payload that contains its number.
func numbered(_ number: Int, size: Int) -> [UInt8] {
    (0..<size).map { UInt8(truncatingIfNeeded: $0 < 4 ? number >> ($0 * 8) : number &* 31 &+ $0) }
}
