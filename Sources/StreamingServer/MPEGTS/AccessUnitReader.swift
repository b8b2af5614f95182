/// Reads the start of each PES packet of one elementary stream (ISO/IEC 13818-1 §2.4.3.6): only as many transport
/// packets as are needed for the PES header and the picture type.
struct AccessUnitReader {
    /// Number of bytes after which no more of a PES packet is read.
    private static let headMax = 2_048

    let pid: UInt16
    let codec: ElementaryCodec
    private var head: [UInt8] = []
    private var offset: UInt64 = 0
    private var indicator = false
    private var isCollecting = false
    /// The encoder has set `random_access_indicator` in this elementary stream.
    private var isIndicating = false

    init(_ stream: ProgramMap.ElementaryStream, codec: ElementaryCodec) {
        pid = stream.pid
        self.codec = codec
    }

    /// Processes the next packet of the elementary stream, and emits the access units that it completes.
    mutating func receive(
        _ header: TransportPacket, _ bytes: Span<UInt8>, at position: UInt64,
        into units: (TransportStreamScanner.AccessUnit) -> Void
    ) {
        if header.payloadUnitStart {
            if isCollecting { evaluate(isAll: true, into: units) }
            head.removeAll(keepingCapacity: true)
            offset = position
            indicator = header.randomAccess
            if indicator { isIndicating = true }
            isCollecting = true
        }
        guard isCollecting else { return }
        for index in header.payload { head.append(bytes[index]) }
        evaluate(isAll: head.count >= Self.headMax, into: units)
    }

    /// Drops an incomplete access unit, because the next packets do not continue the previous ones.
    mutating func reset() {
        isCollecting = false
        head.removeAll(keepingCapacity: true)
    }

    private mutating func evaluate(isAll: Bool, into units: (TransportStreamScanner.AccessUnit) -> Void) {
        guard head.count >= 14 else {
            if isAll { isCollecting = false }
            return
        }
        guard let timestamp = Self.timestamp(head, at: 9) else {
            isCollecting = false
            return
        }
        let hasDecoding = head[7] & 0x40 != 0 && head[8] >= 10
        if hasDecoding, head.count < 19, !isAll { return }
        let start = min(9 + Int(head[8]), head.count)
        let picture = PictureStart(
            codec, head[start...], indicator: indicator, isIndicating: isIndicating, isAll: isAll)
        guard let randomAccess = picture.randomAccess else { return }
        isCollecting = false
        units(
            TransportStreamScanner.AccessUnit(
                offset: offset, timestamp: timestamp, randomAccess: randomAccess,
                decoding: hasDecoding && head.count >= 19 ? Self.timestamp(head, at: 14) : nil,
                parameters: picture.parameters))
    }

    /// The presentation time stamp, at byte 9, or the decoding time stamp, at byte 14; nil if there is none.
    private static func timestamp(_ head: [UInt8], at index: Int) -> UInt64? {
        guard head[0] == 0, head[1] == 0, head[2] == 1 else { return nil }
        guard head[6] & 0xc0 == 0x80, head[7] & 0x80 != 0, head[8] >= 5 else { return nil }
        return PacketStamps.stamp(head.span, at: index)
    }
}
