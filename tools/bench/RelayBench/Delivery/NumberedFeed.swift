import DatagramIO
import ReflectorModel

/// The encoder of a delivery measurement: datagrams at an even rate, each with its number and the time it was sent. On
/// other sockets it receives the output of transports that end in UDP.
final class NumberedFeed: DatagramHandler {
    static let payloadLength = 1_316
    /// Offset of number and time: after the header of the first of seven TS packets.
    static let numberOffset = 4
    static let timeOffset = 12

    private let loop: DatagramLoop
    private let source: DatagramSocket
    private let targets: [Endpoint]
    private let meters: [DeliveryMeter]
    private let interval: TimeSpan
    private let packets: UInt64
    private let payload: UnsafeMutableRawBufferPointer
    private let noHeaders = UnsafeMutableRawBufferPointer.allocate(byteCount: 1, alignment: 1)
    private var batch: DatagramBatch
    private var nextPacket: MonotonicInstant
    /// Number of the packet sent last; the first is 1.
    private(set) var sent: UInt64 = 0
    /// Longest delay of the feed itself: a stall of the machine.
    private(set) var latenessMax = TimeSpan.zero

    /// - Parameters:
    ///   - targets: addresses that get every packet.
    ///   - meters: one for each socket of `sinks`.
    ///   - packets: number of packets to send.
    init(
        loop: DatagramLoop, from address: IPAddress, to targets: [Endpoint], sinks: [Endpoint],
        meters: [DeliveryMeter], rate: Double, packets: UInt64
    ) throws {
        self.loop = loop
        self.targets = targets
        self.meters = meters
        self.packets = packets
        interval = TimeSpan(nanoseconds: Int64(1e9 / rate))
        source = try DatagramSocket(bind: Endpoint(address: address, port: 0))
        try loop.add(source)
        for (index, sink) in sinks.enumerated() {
            let socket = try DatagramSocket(bind: sink)
            socket.tag = index + 1
            try loop.add(socket)
        }
        payload = .allocate(byteCount: Self.payloadLength, alignment: 64)
        payload.initializeMemory(as: UInt8.self, repeating: 0x47)
        batch = DatagramBatch(countMax: max(targets.count, 1), headers: noHeaders)
        nextPacket = loop.now
        loop.nextWakeup = nextPacket
    }

    deinit {
        payload.deallocate()
        noHeaders.deallocate()
    }

    func receive(_ datagram: ReceivedDatagram, on socket: DatagramSocket, at now: MonotonicInstant) {
        guard socket.tag > 0 else { return }
        meters[socket.tag - 1].note(UnsafeRawBufferPointer(datagram.bytes), at: now)
    }

    func wakeEnded(at now: MonotonicInstant) {
        while nextPacket <= now, sent < packets {
            latenessMax = max(latenessMax, now - nextPacket)
            // After a stall the feed does not catch up in one burst, since no encoder would send that.
            if now - nextPacket > .milliseconds(20) { nextPacket = now }
            emit(at: loop.now)
            nextPacket = nextPacket + interval
        }
        loop.nextWakeup = sent < packets ? nextPacket : nil
    }

    private func emit(at now: MonotonicInstant) {
        sent += 1
        payload.storeBytes(of: sent, toByteOffset: Self.numberOffset, as: UInt64.self)
        payload.storeBytes(of: now.nanoseconds, toByteOffset: Self.timeOffset, as: Int64.self)
        for target in targets {
            batch.append(to: target, headerLengthMax: 0, body: UnsafeRawBufferPointer(payload)) { _ in 0 }
        }
        source.send(batch)
        batch.removeAll()
    }
}
