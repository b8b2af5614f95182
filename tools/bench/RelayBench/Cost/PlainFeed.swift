import DatagramIO
import Foundation
import ReflectorModel

/// Plain datagrams to a forwarder without our protocol, and sockets for its output.
final class PlainFeed: LoadFeed {
    private let source: DatagramSocket
    private let targets: [Endpoint]
    private var hasReceived: [Bool]
    private var silent: Int
    private var batch: DatagramBatch
    private let noHeaders = UnsafeMutableRawBufferPointer.allocate(byteCount: 1, alignment: 1)
    private let payload: UnsafeMutableRawBufferPointer
    private let length: Int
    private var offset = 0

    /// - Parameters:
    ///   - targets: addresses that each get a copy of every packet: one address, or one for each process if a process
    ///     serves only one child.
    ///   - sinks: where children receive.
    ///   - payload: sent in a loop in packets of `length` bytes.
    init(
        loop: DatagramLoop, from source: IPAddress, to targets: [Endpoint], sinks: [Endpoint], payload: Data,
        length: Int
    ) throws {
        var options = DatagramSocketOptions()
        options.receiveOffload = false
        self.source = try DatagramSocket(bind: Endpoint(address: source, port: 0), options: options)
        try loop.add(self.source)
        for (index, sink) in sinks.enumerated() {
            let socket = try DatagramSocket(bind: sink, options: options)
            socket.tag = index + 1
            try loop.add(socket)
        }
        self.targets = targets
        self.length = length
        hasReceived = Array(repeating: false, count: sinks.count)
        silent = sinks.count
        batch = DatagramBatch(countMax: 1_024, headers: noHeaders)
        self.payload = .allocate(byteCount: max(payload.count / length, 1) * length, alignment: 64)
        payload.copyBytes(to: self.payload, count: min(payload.count, self.payload.count))
    }

    deinit {
        noHeaders.deallocate()
        payload.deallocate()
    }

    var isReady: Bool { silent == 0 }
    var nextTimeout: MonotonicInstant { .distantFuture }

    func receive(_ datagram: ReceivedDatagram, on socket: DatagramSocket, at now: MonotonicInstant) -> Bool {
        guard socket.tag > 0 else { return false }
        if !hasReceived[socket.tag - 1] {
            hasReceived[socket.tag - 1] = true
            silent -= 1
        }
        return true
    }

    func emit(_ count: Int, at now: MonotonicInstant) {
        var rest = count
        while rest > 0 {
            let part = min(rest, batch.countMax, (payload.count - offset) / length)
            for target in targets {
                for index in 0..<part {
                    let start = offset + index * length
                    batch.append(
                        to: target, headerLengthMax: 0,
                        body: UnsafeRawBufferPointer(rebasing: payload[start..<start + length])
                    ) { _ in 0 }
                }
                source.send(batch)
                batch.removeAll()
            }
            offset = offset + (part + 1) * length > payload.count ? 0 : offset + part * length
            rest -= part
        }
    }

    func timerFired(at now: MonotonicInstant) {}
    func flush(at now: MonotonicInstant) {}
}
