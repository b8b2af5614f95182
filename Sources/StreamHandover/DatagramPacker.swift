import NIOCore
import ReflectorModel

/// Packs the bytes of a stream into datagrams of seven transport packets, plain or in RTP (RFC 2250). Bytes that belong
/// to no transport packet are dropped.
struct DatagramPacker {
    static let packetLength = 188
    static let packetsMax = 7
    /// Length of a full datagram with its RTP header.
    static let lengthMax = packetsMax * packetLength + rtpHeaderLength
    /// A shorter datagram is sent when its bytes have waited for this long: audio alone fills one in half a second.
    static let waitMax = TimeSpan.milliseconds(40)

    private static let rtpHeaderLength = 12
    private static let syncByte: UInt8 = 0x47
    /// Payload type of MPEG-2 transport streams (RFC 3551 §6).
    private static let rtpPayloadType: UInt8 = 33

    private struct Waiting {
        var bytes: ByteBuffer
        var since: MonotonicInstant
    }

    /// Chunks that the stream's viewers share.
    private var waiting = CircularBuffer<Waiting>()
    private(set) var bytesWaiting = 0
    /// Bytes that belong to no transport packet.
    private(set) var bytesSkipped: UInt64 = 0
    private let rtpSource: UInt32?
    private var rtpSequence: UInt16 = 0

    /// - Parameter rtpSource: the SSRC if datagrams are to be RTP packets.
    init(rtpSource: UInt32?) { self.rtpSource = rtpSource }

    /// When the oldest waiting byte came; nil if none waits.
    var waitingSince: MonotonicInstant? { waiting.first?.since }

    /// Adds the next bytes of the stream.
    mutating func add(_ chunks: [ByteBuffer], at now: MonotonicInstant) {
        for chunk in chunks where chunk.readableBytes > 0 {
            waiting.append(Waiting(bytes: chunk, since: now))
            bytesWaiting += chunk.readableBytes
        }
    }

    /// Drops what waits: other bytes follow.
    mutating func removeAll() {
        waiting.removeAll(keepingCapacity: true)
        bytesWaiting = 0
    }

    /// Length of the next datagram; nil if it is not complete and may still wait.
    mutating func nextLength(at now: MonotonicInstant) -> Int? {
        synchronize()
        var packets = min(bytesWaiting / Self.packetLength, Self.packetsMax)
        guard let since = waitingSince, packets > 0 else { return nil }
        packets = wholePackets(atMost: packets)
        guard packets == Self.packetsMax || now - since >= Self.waitMax || packets * Self.packetLength < bytesWaiting
        else { return nil }
        return packets * Self.packetLength + (rtpSource == nil ? 0 : Self.rtpHeaderLength)
    }

    /// Writes the next datagram, whose length `nextLength` returned.
    mutating func write(_ length: Int, to output: UnsafeMutableRawBufferPointer, at now: MonotonicInstant) {
        var written = 0
        if let rtpSource {
            writeHeader(rtpSource, to: output, at: now)
            written = Self.rtpHeaderLength
        }
        while written < length, !waiting.isEmpty {
            let start = waiting.startIndex
            let count = min(length - written, waiting[start].bytes.readableBytes)
            waiting[start].bytes.readWithUnsafeReadableBytes { bytes in
                output[written..<written + count].copyBytes(from: bytes[..<count])
                return count
            }
            written += count
            bytesWaiting -= count
            if waiting[start].bytes.readableBytes == 0 { waiting.removeFirst() }
        }
    }

    /// Drops bytes until a transport packet begins: a sync byte that another one follows, if there is one after it.
    private mutating func synchronize() {
        while bytesWaiting >= Self.packetLength {
            let follows = byte(at: Self.packetLength)
            if byte(at: 0) == Self.syncByte, follows == nil || follows == Self.syncByte { return }
            skipToSyncByte()
        }
    }

    /// Number of packets from the first one on that begin with a sync byte.
    private func wholePackets(atMost limit: Int) -> Int {
        var count = 1
        while count < limit, byte(at: count * Self.packetLength) == Self.syncByte { count += 1 }
        return count
    }

    private func byte(at offset: Int) -> UInt8? {
        var rest = offset
        for chunk in waiting {
            let count = chunk.bytes.readableBytes
            if rest < count { return chunk.bytes.getInteger(at: chunk.bytes.readerIndex + rest) }
            rest -= count
        }
        return nil
    }

    /// Drops at least one byte of the first chunk, up to the next sync byte in it.
    private mutating func skipToSyncByte() {
        let start = waiting.startIndex
        let view = waiting[start].bytes.readableBytesView
        let next = view.dropFirst().firstIndex(of: Self.syncByte) ?? view.endIndex
        let count = next - view.startIndex
        waiting[start].bytes.moveReaderIndex(forwardBy: count)
        if waiting[start].bytes.readableBytes == 0 { waiting.removeFirst() }
        bytesWaiting -= count
        bytesSkipped &+= UInt64(count)
    }

    /// RFC 3550 §5.1; the 90 kHz time stamp is that of sending (RFC 2250 §2).
    private mutating func writeHeader(
        _ source: UInt32, to output: UnsafeMutableRawBufferPointer, at now: MonotonicInstant
    ) {
        let time = UInt32(truncatingIfNeeded: now.nanoseconds / 100_000 * 9)
        output[0] = 0x80
        output[1] = Self.rtpPayloadType
        output.storeBytes(of: rtpSequence.bigEndian, toByteOffset: 2, as: UInt16.self)
        output.storeBytes(of: time.bigEndian, toByteOffset: 4, as: UInt32.self)
        output.storeBytes(of: source.bigEndian, toByteOffset: 8, as: UInt32.self)
        rtpSequence &+= 1
    }
}
