import ReflectorModel

/// Cuts MPEG-TS packets into payloads at boundaries that the content itself defines, for streams with `standby=hot`.
///
/// Two entrypoints that get the same bytes from one encoder cut the same payloads, even if one of them joined late or
/// lost its connection for a while, in whatever pieces the bytes come. The reflectors can then take either copy of each
/// payload. For any input of whole packets, the payloads in order are exactly the input.
///
/// A payload ends before each packet that starts a unit: `payload_unit_start_indicator` (ISO/IEC 13818-1 §2.4.3.3), in
/// any PID, so before each picture, audio frame and table. Otherwise it ends when it is full, counted from the last such
/// packet. Nothing before that packet has an effect on what follows it, so the cuts are the same from the first such
/// packet that both entrypoints have.
///
/// No payload leaves early, however long the input stalls: TCP connections stall for 200 ms and more when a packet is
/// lost. A payload that left in two parts would shift all later numbers of this entrypoint against the other one's.
struct ContentPacker: PayloadPacker {
    private static let packetBytes = PacketPacker.transportPacketBytes

    /// Bytes of a full payload, a multiple of 188.
    private(set) var payloadBytes: Int
    /// The initial size, restored when a limit ends.
    private let payloadBytesMax: Int
    /// The first bytes of a packet: fewer than 188.
    private var partial: [UInt8] = []
    /// Whole packets that have not left yet: at most `payloadBytes`, unless the limit was just lowered.
    private var waiting: [UInt8] = []
    /// Bytes since the last cut.
    private var bytesSinceCut = 0

    /// - Parameter payloadBytes: maximum size of a payload. A payload holds as many whole TS packets as fit, at least
    ///   one.
    init(payloadBytes: Int = PacketPacker.payloadBytesDefault) {
        let whole = Self.whole(payloadBytes)
        self.payloadBytes = whole
        payloadBytesMax = whole
        waiting.reserveCapacity(whole)
    }

    mutating func limit(to bytes: Int?) { payloadBytes = Self.whole(min(bytes ?? payloadBytesMax, payloadBytesMax)) }

    private static func whole(_ bytes: Int) -> Int { max(bytes / packetBytes, 1) * packetBytes }

    var nextTimeout: MonotonicInstant? { nil }

    mutating func append(_ input: UnsafeRawBufferPointer, at now: MonotonicInstant, into batch: inout PayloadBatch) {
        guard !input.isEmpty else { return }
        batch.reserve(bytes: waiting.count + partial.count + input.count)
        var rest = input
        if !partial.isEmpty {
            let missing = Self.packetBytes - partial.count
            partial.append(contentsOf: rest.prefix(missing))
            guard rest.count >= missing else { return }
            rest = UnsafeRawBufferPointer(rebasing: rest[missing...])
            var packet: [UInt8] = []
            swap(&packet, &partial)
            packet.withUnsafeBytes { appendWhole($0, into: &batch) }
            packet.removeAll(keepingCapacity: true)
            swap(&packet, &partial)
        }
        let count = rest.count / Self.packetBytes * Self.packetBytes
        appendWhole(UnsafeRawBufferPointer(rebasing: rest[..<count]), into: &batch)
        partial.append(contentsOf: rest[count...])
    }

    private mutating func appendWhole(_ packets: UnsafeRawBufferPointer, into batch: inout PayloadBatch) {
        var start = 0
        var at = 0
        while at < packets.count {
            let startsUnit = packets[at + 1] & 0x40 != 0
            if bytesSinceCut > 0, startsUnit || bytesSinceCut >= payloadBytes {
                cut(packets[start..<at], into: &batch)
                start = at
            }
            at += Self.packetBytes
            bytesSinceCut += Self.packetBytes
            // A full payload leaves at once.
            if bytesSinceCut >= payloadBytes {
                cut(packets[start..<at], into: &batch)
                start = at
            }
        }
        waiting.append(contentsOf: packets[start...])
    }

    private mutating func cut(_ packets: Slice<UnsafeRawBufferPointer>, into batch: inout PayloadBatch) {
        bytesSinceCut = 0
        batch.append(waiting[...])
        batch.append(UnsafeRawBufferPointer(rebasing: packets))
        batch.endPayload()
        waiting.removeAll(keepingCapacity: true)
    }

    mutating func handleTimeout(at now: MonotonicInstant, into batch: inout PayloadBatch) {}

    mutating func finish(into batch: inout PayloadBatch) {
        waiting += partial
        partial = []
        bytesSinceCut = 0
        guard !waiting.isEmpty else { return }
        batch.append(waiting[...])
        batch.endPayload()
        waiting = []
    }
}
