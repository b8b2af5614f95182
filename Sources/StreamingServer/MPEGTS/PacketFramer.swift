/// Splits the input into whole transport stream packets, so that no viewer ever gets part of a packet: it drops the
/// incomplete packet of an encoder that died, and bytes between two packets. A stream that is not a transport stream
/// passes unchanged.
///
///     searching ──3 sync bytes, 188 apart──▶ locked ──another source──▶ searching
///     searching ──none in `searchedMax` bytes──▶ raw ──a payload that begins with such bytes──▶ locked
struct PacketFramer {
    /// The bytes to pass on for a payload.
    enum Framed {
        /// The payload itself.
        case unchanged
        /// These bytes instead; may be empty.
        case bytes([UInt8])
    }

    private enum Mode {
        case searching
        case locked
        case raw
    }

    /// Number of sync bytes, each 188 bytes after the previous one, that prove a transport stream.
    private static let proofCount = 3
    private static let proofLength = (proofCount - 1) * TransportPacket.length + 1
    /// Bytes without proof after which a stream counts as not a transport stream: enough for part of a packet and the
    /// proof.
    private static let searchedMax = proofLength + TransportPacket.length - 1

    private var mode = Mode.searching
    /// Bytes not yet passed on: part of a packet, or bytes being searched.
    private var carry: [UInt8] = []
    /// Bytes dropped because they belong to no whole packet.
    private(set) var skipped: UInt64 = 0

    /// True if the stream consists of transport packets.
    var isLocked: Bool { mode == .locked }

    /// Processes the next payload of the stream.
    mutating func take(_ payload: Span<UInt8>) -> Framed {
        if carry.isEmpty {
            if mode != .locked, Self.beginsWithProof(payload) { mode = .locked }
            switch mode {
            case .locked: if Self.isWhole(payload) { return .unchanged }
            case .raw: return .unchanged
            case .searching: break
            }
        }
        for index in 0..<payload.count { carry.append(payload[index]) }
        if mode == .searching { return search() }
        return .bytes(packets())
    }

    /// Prepares for bytes that do not continue the previous ones: drops an incomplete packet.
    /// - Parameter isOtherSource: true if the next bytes may have another format.
    mutating func reset(isOtherSource: Bool) {
        if mode == .locked || isOtherSource {
            skipped &+= UInt64(carry.count)
            carry.removeAll(keepingCapacity: true)
        }
        if isOtherSource { mode = .searching }
    }

    /// Call at the end of the stream. Returns the bytes held if the format is not known yet; otherwise drops an
    /// incomplete packet, and returns none.
    mutating func finish() -> [UInt8] {
        defer { carry.removeAll() }
        return mode == .searching ? carry : []
    }

    private mutating func search() -> Framed {
        let held = carry
        let bytes = held.span
        guard bytes.count >= Self.proofLength else { return .bytes([]) }
        for index in 0...bytes.count - Self.proofLength
        where Self.beginsWithProof(bytes.extracting(index..<bytes.count)) {
            skipped &+= UInt64(index)
            carry.removeFirst(index)
            mode = .locked
            return .bytes(packets())
        }
        guard carry.count >= Self.searchedMax else { return .bytes([]) }
        mode = .raw
        defer { carry.removeAll(keepingCapacity: true) }
        return .bytes(carry)
    }

    /// Removes the whole packets from the front of the held bytes, and returns them.
    private mutating func packets() -> [UInt8] {
        var whole: [UInt8] = []
        let held = carry
        let bytes = held.span
        var index = 0
        var isLost = false
        while true {
            let left = bytes.count - index
            if isLost {
                guard left >= Self.proofLength else { break }
                if Self.beginsWithProof(bytes.extracting(index..<bytes.count)) {
                    isLost = false
                } else {
                    index += 1
                    skipped &+= 1
                }
            } else {
                guard left > 0 else { break }
                // A packet is valid if a sync byte follows it, or if the byte after it has not arrived yet.
                let next = index + TransportPacket.length
                if bytes[index] != TransportPacket.syncByte
                    || (next < bytes.count && bytes[next] != TransportPacket.syncByte)
                {
                    isLost = true
                } else {
                    guard left >= TransportPacket.length else { break }
                    whole.append(contentsOf: held[index..<next])
                    index = next
                }
            }
        }
        carry.removeFirst(index)
        return whole
    }

    private static func isWhole(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.count % TransportPacket.length == 0 else { return false }
        var index = 0
        while index < bytes.count {
            guard bytes[index] == TransportPacket.syncByte else { return false }
            index += TransportPacket.length
        }
        return true
    }

    private static func beginsWithProof(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.count >= proofLength else { return false }
        for index in 0..<proofCount where bytes[index * TransportPacket.length] != TransportPacket.syncByte {
            return false
        }
        return true
    }
}
