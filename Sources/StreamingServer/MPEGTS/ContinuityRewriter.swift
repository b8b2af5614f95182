/// Rewrites the continuity counters of a source (ISO/IEC 13818-1 §2.4.3.3), so that they continue those of the source
/// before it: by a constant offset for each PID.
struct ContinuityRewriter {
    private static let pidCount = 1 << 13
    private static let unknown: UInt8 = 0xff

    /// The last counter sent to viewers.
    private var last: [UInt8]
    private var offsets = [UInt8](repeating: unknown, count: pidCount)
    /// Number of PIDs whose offset is not 0.
    private var changed = 0

    /// - Parameter position: where the old source ended.
    init(after position: StreamPosition) {
        last = (0..<UInt16(Self.pidCount)).map { position.counter($0) ?? Self.unknown }
    }

    /// True if all counters seen so far fit as they are.
    var isIdentity: Bool { changed == 0 }

    /// Processes a packet of the new source, which is at `start` of `bytes`.
    mutating func rewrite(_ header: TransportPacket, _ bytes: inout [UInt8], at start: Int) {
        let pid = Int(header.pid)
        if offsets[pid] == Self.unknown {
            // A packet without payload repeats the counter, and doesn't tell where the source's own will begin.
            guard !header.payload.isEmpty else {
                if last[pid] != Self.unknown { set(last[pid], &bytes, at: start) }
                return
            }
            offsets[pid] = last[pid] == Self.unknown ? 0 : (last[pid] &+ 1 &- header.continuity) & 0x0f
            if offsets[pid] != 0 { changed += 1 }
        }
        let value = (header.continuity &+ offsets[pid]) & 0x0f
        last[pid] = value
        if offsets[pid] != 0 { set(value, &bytes, at: start) }
    }

    /// A packet of the new source is left out, so that the offset of its PID changes.
    mutating func leaveOut(_ pid: UInt16) {
        let offset = offsets[Int(pid)]
        guard offset != Self.unknown else { return }
        if offset != 0 { changed -= 1 }
        offsets[Int(pid)] = Self.unknown
    }

    /// Gives an additional packet the next counter of its PID.
    mutating func insert(_ pid: UInt16, _ bytes: inout [UInt8], at start: Int) {
        let before = last[Int(pid)]
        let value = before == Self.unknown ? 0 : (before &+ 1) & 0x0f
        last[Int(pid)] = value
        set(value, &bytes, at: start)
    }

    private func set(_ value: UInt8, _ bytes: inout [UInt8], at start: Int) {
        bytes[start + 3] = bytes[start + 3] & 0xf0 | value
    }
}
