import ReflectorModel

/// Holds back the end of a stream while it is an incomplete PES packet: a decoder cannot use it yet, and if the source
/// dies and another continues, it never can. Viewers then get no part of it, and report no damaged frame.
///
/// This costs almost no time with multiplexers that write an access unit in one go, as ffmpeg does. With one that
/// interleaves packets of several PIDs, something is incomplete at any time: such a stream is not held back.
struct IncompletePackets {
    /// Longest time that bytes are held back while more come. If nothing comes, they wait for the end of the stream, or
    /// for another source.
    static let heldMax = TimeSpan.milliseconds(60)
    /// Maximum number of bytes that are held back.
    private static let heldBytesMax = 2 << 20
    /// A time-out counts as much as this many PES packets that were held back and became complete. If time-outs
    /// prevail, nothing more is held back until the next source.
    private static let timeoutCost = 8
    private static let timeoutsMax = 8

    /// An incomplete PES packet.
    private struct Open {
        let pid: UInt16
        /// Bytes still to come; nil if the PES packet doesn't say.
        var left: Int?
    }

    private(set) var held: [UInt8] = []
    private var since = MonotonicInstant.zero
    /// Its number is bounded by the PMT.
    private var open: [Open] = []
    private var timeouts = 0

    private var isOff: Bool { timeouts >= Self.timeoutCost * Self.timeoutsMax }

    /// Processes the next whole packets.
    /// - Returns: how many bytes, from the first one held, may be sent now. The caller calls `remove` for those held, and
    ///   `hold` for the rest.
    mutating func complete(_ packets: Span<UInt8>, of map: ProgramMap, at now: MonotonicInstant) -> Int {
        guard !isOff else { return held.count + packets.count }
        if held.isEmpty { since = now }
        var complete = 0
        var index = 0
        while packets.count - index >= TransportPacket.length {
            let packet = packets.extracting(index..<index + TransportPacket.length)
            if let header = TransportPacket(packet) {
                if header.payloadUnitStart, open.count == 1, open[0].pid == header.pid { complete = held.count + index }
                note(header, packet, of: map)
            }
            index += TransportPacket.length
            if open.isEmpty { complete = held.count + index }
        }
        if complete > 0 {
            if !held.isEmpty { timeouts = max(0, timeouts - 1) }
        } else if now - since > Self.heldMax || held.count + packets.count > Self.heldBytesMax {
            timeouts += Self.timeoutCost
            // Until the next complete end, nothing is gained by holding more.
            open = []
            return held.count + packets.count
        }
        return complete
    }

    /// Adds bytes to those held.
    mutating func hold(_ bytes: some Collection<UInt8>, at now: MonotonicInstant) {
        if held.isEmpty { since = now }
        held += bytes
    }

    /// Removes and returns the first bytes held, at most `count`.
    mutating func remove(_ count: Int = .max) -> [UInt8] {
        guard count < held.count else {
            defer { held = [] }
            return held
        }
        defer { held.removeFirst(count) }
        return Array(held.prefix(count))
    }

    /// Another source follows: drops what is held.
    mutating func reset() { self = IncompletePackets() }

    private mutating func note(_ header: TransportPacket, _ packet: Span<UInt8>, of map: ProgramMap) {
        if header.payloadUnitStart {
            open.removeAll { $0.pid == header.pid }
            guard map.streams.contains(where: { $0.pid == header.pid && $0.codec != nil }), !header.isScrambled else {
                return
            }
            let start = header.payload.lowerBound
            guard header.payload.count >= 6, packet[start] == 0, packet[start + 1] == 0, packet[start + 2] == 1 else {
                return
            }
            let length = Int(packet[start + 4]) << 8 | Int(packet[start + 5])
            open.append(Open(pid: header.pid, left: length == 0 ? nil : length + 6))
        }
        guard !header.payload.isEmpty, let index = open.firstIndex(where: { $0.pid == header.pid }) else { return }
        if let left = open[index].left {
            open[index].left = left - header.payload.count
            if left > header.payload.count { return }
        } else if !Self.isStuffed(packet) {
            return
        }
        open.remove(at: index)
    }

    /// True if the payload is shorter than there is room: multiplexers stuff the last packet of a PES packet.
    private static func isStuffed(_ packet: Span<UInt8>) -> Bool {
        guard packet[3] & 0x20 != 0 else { return false }
        let length = Int(packet[4])
        guard length > 0 else { return true }
        // With the rarer fields, the length is not computed.
        guard packet[5] & 0x0f == 0 else { return false }
        return length > (packet[5] & 0x10 == 0 ? 1 : 7)
    }
}
