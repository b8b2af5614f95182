/// Checks an MPEG transport stream and counts what would disturb a player: lost packet alignment (188 bytes), and jumps
/// of a PID's continuity counter (ISO/IEC 13818-1 §2.4.3.3). It does not use the relay protocol, so it is independent
/// of the nodes' own reports.
struct TransportStreamCheck: Sendable {
    static let packetBytes = 188
    private static let syncByte: UInt8 = 0x47
    private static let nullPID = 0x1fff

    private(set) var bytes: UInt64 = 0
    /// Packets that do not begin with the sync byte.
    private(set) var syncErrors: UInt64 = 0
    /// Jumps of a continuity counter without a discontinuity indicator.
    private(set) var continuityErrors: UInt64 = 0

    private var offset = 0
    private var header: (UInt8, UInt8, UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0, 0, 0)
    /// The last counter of each PID; 0xff for none yet.
    private var counters = [UInt8](repeating: 0xff, count: 0x2000)
    private var repeats = [Bool](repeating: false, count: 0x2000)

    mutating func take(_ chunk: UnsafeRawBufferPointer) {
        bytes &+= UInt64(chunk.count)
        var index = 0
        while index < chunk.count {
            switch offset {
            case 0: header.0 = chunk[index]
            case 1: header.1 = chunk[index]
            case 2: header.2 = chunk[index]
            case 3: header.3 = chunk[index]
            case 4: header.4 = chunk[index]
            case 5:
                header.5 = chunk[index]
                checkHeader()
            default:
                let step = min(Self.packetBytes - offset, chunk.count - index)
                offset += step
                index += step
                if offset == Self.packetBytes { offset = 0 }
                continue
            }
            offset += 1
            index += 1
        }
    }

    /// Call this for a new connection, in which the stream begins again.
    mutating func restart() {
        offset = 0
        for index in counters.indices { counters[index] = 0xff }
    }

    private mutating func checkHeader() {
        guard header.0 == Self.syncByte else {
            syncErrors &+= 1
            return
        }
        let pid = Int(header.1 & 0x1f) << 8 | Int(header.2)
        guard pid != Self.nullPID else { return }
        let hasAdaptation = header.3 & 0x20 != 0
        let hasPayload = header.3 & 0x10 != 0
        let isDiscontinuous = hasAdaptation && header.4 > 0 && header.5 & 0x80 != 0
        let counter = header.3 & 0x0f
        let last = counters[pid]
        defer { counters[pid] = counter }
        guard last != 0xff, !isDiscontinuous else {
            repeats[pid] = false
            return
        }
        // A packet without payload does not increment the counter; a packet with payload may be repeated once.
        let isRepeat = counter == last && (!hasPayload || !repeats[pid])
        if !isRepeat, counter != (last + 1) & 0x0f || !hasPayload { continuityErrors &+= 1 }
        repeats[pid] = hasPayload && counter == last
    }
}
