import ReflectorModel

/// Finds the MPEG-TS packets in an encoder's bytes and passes only those on (ISO/IEC 13818-1 §2.4.3.2). Bytes before
/// the first packet, incomplete packets and bytes that are not MPEG-TS are dropped and counted.
///
/// ```
/// searching ──3 sync bytes in a row, one distance apart──▶ locked ──sync bytes lost──▶ searching
/// ```
/// Packets of 204 bytes (with Reed–Solomon bytes) and 192 bytes (with a time stamp, M2TS) come out as packets of 188
/// bytes. A datagram may end inside a packet, as ffmpeg's datagrams of 1,472 bytes do, and may be RTP (RFC 2250).
struct TransportAligner {
    static let packetBytes = PacketPacker.transportPacketBytes
    static let syncByte: UInt8 = 0x47
    /// Bytes from one packet to the next: plain, with Reed–Solomon bytes, or with a time stamp.
    private static let strides = [188, 204, 192]
    private static let syncsToLock = 3

    /// Called with whole TS packets, one after the other; the memory is valid only during the call.
    typealias Emit = (UnsafeRawBufferPointer) -> Void

    /// Bytes of an incomplete packet, or bytes that are searched for the first packet.
    private var carry: [UInt8]
    private var stride = Self.packetBytes
    private(set) var isLocked = false
    /// True after the first packet was found.
    private(set) var hasFoundPackets = false
    /// Bytes dropped since the last packet.
    private(set) var skippedInRow = 0
    private var skipped = 0
    private var order = RTPOrder()

    /// - Parameter beginning: first bytes of a packet that was cut off at the end of another connection of this
    ///   encoder. They are used only if the input completes the packet.
    init(beginning: [UInt8] = []) { carry = beginning }

    /// Processes bytes of a connection.
    mutating func append(_ input: UnsafeRawBufferPointer, _ emit: Emit) {
        if carry.isEmpty {
            let used = scan(input, emit)
            if used < input.count { carry.append(contentsOf: UnsafeRawBufferPointer(rebasing: input[used...])) }
        } else {
            var bytes: [UInt8] = []
            swap(&bytes, &carry)
            bytes.append(contentsOf: input)
            let used = bytes.withUnsafeBytes { scan($0, emit) }
            bytes.removeFirst(used)
            swap(&bytes, &carry)
        }
    }

    /// Processes a datagram. A datagram that begins with a packet restarts the search, so that the loss of another
    /// datagram costs only the packets in it.
    mutating func appendDatagram(_ input: UnsafeRawBufferPointer, _ emit: Emit) {
        if carry.isEmpty, let body = RTPDatagram(input), Self.wholePackets(in: body.payload) == body.payload.count {
            (stride, isLocked) = (Self.packetBytes, true)
            noteFound()
            return order.receive(body.number, time: body.time, body.payload, emit)
        }
        order.flush(emit)
        let whole = Self.wholePackets(in: input)
        let rest = input.count - whole
        let isPadded = rest > 0 && rest < Self.packetBytes && input[whole] != Self.syncByte
        if whole > 0, rest == 0 || isPadded, !continuesPacket(input) {
            skip(carry.count + rest)
            carry.removeAll(keepingCapacity: true)
            return take(whole: UnsafeRawBufferPointer(rebasing: input[..<whole]), emit)
        }
        append(input, emit)
    }

    /// The input has ended. Returns the first bytes of a packet that is still incomplete.
    mutating func finish(_ emit: Emit) -> [UInt8] {
        order.flush(emit)
        let bytes = carry
        carry = []
        let distances = isLocked ? [stride] : Self.strides
        let fitting = distances.first { distance in
            Swift.stride(from: 0, to: bytes.count, by: distance).allSatisfy { bytes[$0] == Self.syncByte }
        }
        guard let fitting else {
            skip(bytes.count)
            return []
        }
        var start = 0
        bytes.withUnsafeBytes { all in
            while start + Self.packetBytes <= all.count {
                found(UnsafeRawBufferPointer(rebasing: all[start..<start + Self.packetBytes]), emit)
                start += min(fitting, all.count - start)
            }
        }
        return Array(bytes[start...])
    }

    /// Bytes dropped since the last call.
    mutating func takeSkipped() -> Int {
        defer { skipped = 0 }
        return skipped
    }

    /// RTP packets counted as missing since the last call.
    mutating func takeMissingRTP() -> Int { order.takeMissing() }

    /// True if a datagram has MPEG-TS in it: whole packets, or sync bytes that are one packet apart throughout.
    static func isPlausible(_ datagram: UnsafeRawBufferPointer) -> Bool {
        if wholePackets(in: datagram) > 0 { return true }
        if let body = RTPDatagram(datagram), wholePackets(in: body.payload) > 0 { return true }
        return strides.contains { distance in
            guard datagram.count > distance else { return false }
            return (0..<min(distance, datagram.count - distance)).contains { start in
                Swift.stride(from: start, to: datagram.count, by: distance).allSatisfy { datagram[$0] == syncByte }
            }
        }
    }

    // MARK: Searching and following

    /// Emits complete packets and returns how many bytes were used.
    private mutating func scan(_ all: UnsafeRawBufferPointer, _ emit: Emit) -> Int {
        var at = 0
        while true {
            if !isLocked {
                let start = search(all, from: at)
                skip(start - at)
                at = start
                guard isLocked else { return at }
            }
            at = follow(all, from: at, emit)
            guard !isLocked else { return at }
        }
    }

    /// Finds where packets begin and locks; stays unlocked if more input is needed to decide.
    private mutating func search(_ all: UnsafeRawBufferPointer, from first: Int) -> Int {
        for start in first..<max(all.count, first) where all[start] == Self.syncByte {
            var isOpen = false
            for distance in Self.strides {
                let last = start + (Self.syncsToLock - 1) * distance
                let seen = Swift.stride(from: start, through: min(last, all.count - 1), by: distance)
                guard seen.allSatisfy({ all[$0] == Self.syncByte }) else { continue }
                if last < all.count {
                    (stride, isLocked) = (distance, true)
                    return start
                }
                isOpen = true
                // Wait for the simplest interpretation that is still possible.
                break
            }
            if isOpen { return start }
        }
        return max(all.count, first)
    }

    /// Emits packets as long as each is followed by a sync byte or by the end of the input. A single packet with a
    /// broken sync byte is skipped. Returns where it stopped: before an incomplete packet, or, if the lock was lost,
    /// where to search from.
    private mutating func follow(_ all: UnsafeRawBufferPointer, from first: Int, _ emit: Emit) -> Int {
        var (start, at) = (first, first)
        func run() -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: all[start..<at]) }
        while at < all.count {
            guard all[at] == Self.syncByte else {
                isLocked = false
                break
            }
            let next = at + stride
            guard next <= all.count else { break }
            if next < all.count, all[next] != Self.syncByte {
                // Either one packet has a broken sync byte, or the rest of this packet is missing.
                let afterNext = next + stride
                guard afterNext < all.count, all[afterNext] == Self.syncByte else {
                    isLocked = false
                    break
                }
                at = emitOne(all, at, run: &start, emit)
                if stride == Self.packetBytes { found(run(), emit) }
                skip(stride)
                at += stride
                start = at
                continue
            }
            at = emitOne(all, at, run: &start, emit)
        }
        if stride == Self.packetBytes, at > start { found(run(), emit) }
        guard !isLocked, at < all.count else { return at }
        skip(1)
        return at + 1
    }

    /// Emits a packet, unless it is plain: the caller emits plain packets in runs. Returns where the next packet
    /// begins.
    private mutating func emitOne(
        _ all: UnsafeRawBufferPointer, _ at: Int, run start: inout Int, _ emit: Emit
    ) -> Int {
        let next = at + stride
        if stride != Self.packetBytes {
            found(UnsafeRawBufferPointer(rebasing: all[at..<at + Self.packetBytes]), emit)
            start = next
        }
        return next
    }

    private mutating func take(whole packets: UnsafeRawBufferPointer, _ emit: Emit) {
        (stride, isLocked) = (Self.packetBytes, true)
        found(packets, emit)
    }

    private mutating func found(_ packets: UnsafeRawBufferPointer, _ emit: Emit) {
        noteFound()
        emit(packets)
    }

    private mutating func noteFound() {
        hasFoundPackets = true
        skippedInRow = 0
    }

    private mutating func skip(_ count: Int) {
        skipped += count
        skippedInRow += count
    }

    // MARK: Datagrams

    /// Bytes of the whole packets at the start of a datagram.
    private static func wholePackets(in datagram: UnsafeRawBufferPointer) -> Int {
        var end = 0
        while end + packetBytes <= datagram.count, datagram[end] == syncByte { end += packetBytes }
        return end
    }

    /// True if the datagram continues the packet in which the previous datagram ended.
    private func continuesPacket(_ datagram: UnsafeRawBufferPointer) -> Bool {
        guard isLocked, stride == Self.packetBytes, !carry.isEmpty else { return false }
        let missing = Self.packetBytes - carry.count
        guard missing < datagram.count else { return false }
        return Swift.stride(from: missing, to: datagram.count, by: stride).allSatisfy { datagram[$0] == Self.syncByte }
    }
}

/// An RTP packet (RFC 3550 §5.1): its sequence number, its time stamp and its payload.
private struct RTPDatagram {
    let number: UInt16
    let time: UInt32
    let payload: UnsafeRawBufferPointer

    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count > 12, bytes[0] >> 6 == 2 else { return nil }
        var start = 12 + 4 * Int(bytes[0] & 15)
        if bytes[0] & 0x10 != 0 {
            guard start + 4 <= bytes.count else { return nil }
            start += 4 + 4 * (Int(bytes[start + 2]) << 8 | Int(bytes[start + 3]))
        }
        var end = bytes.count
        if bytes[0] & 0x20 != 0 { end -= Int(bytes[bytes.count - 1]) }
        guard start < end else { return nil }
        number = UInt16(bytes[2]) << 8 | UInt16(bytes[3])
        time = bytes[4..<8].reduce(0) { $0 << 8 | UInt32($1) }
        payload = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
    }
}
