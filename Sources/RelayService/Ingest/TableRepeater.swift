import ReflectorModel

/// Repeats the tables (PAT, PMT) of an encoder that sends them only at the start, or too rarely: without them, a viewer
/// or an edge that joins later cannot decode the stream. A stream with frequent tables (ISO/IEC 13818-1 sets no
/// interval, ETSI TR 101 290 requires 500 ms) passes unchanged.
struct TableRepeater {
    /// Tables are repeated after this time without a PAT, if at least `packetsMin` packets arrived in this time: with
    /// fewer, the encoder may only be pausing.
    static let silence = TimeSpan.seconds(2)
    /// A pause of the encoder counts as at most this: no table is missing where nothing is sent.
    static let pauseMax = TimeSpan.seconds(1)
    private static let packetsMin = 100
    /// Maximum number of programs whose PMTs are repeated, and of packets in a table.
    private static let programsMax = 8
    private static let tablePacketsMax = 4
    private static let packetBytes = PacketPacker.transportPacketBytes

    private struct Table {
        var pid: UInt16
        /// The newest table that passed, as whole packets.
        var bytes: [UInt8] = []
        /// Continuity counter of the last packet sent; the counters include inserted packets.
        var counter: UInt8 = 0
        /// Packets inserted, modulo 16.
        var inserted: UInt8 = 0
    }

    /// False if missing tables are only noticed.
    private let isRepeating: Bool
    /// The PAT, then the PMTs that it lists.
    private var tables = [Table(pid: 0)]
    /// Time and packets since the last PAT. Nil before the first.
    private var timeSince: TimeSpan?
    private var packetsSince = 0
    private var lastPass = MonotonicInstant.zero

    /// - Parameter isRepeating: false for streams that must pass unchanged; then missing tables are only noticed.
    init(isRepeating: Bool = true) { self.isRepeating = isRepeating }

    /// Passes on whole packets, and inserts the tables before them if a repeat is due. True if a repeat was due.
    mutating func pass(
        _ packets: UnsafeRawBufferPointer, at now: MonotonicInstant, _ emit: TransportAligner.Emit
    ) -> Bool {
        timeSince = timeSince.map { $0 + min(now - lastPass, Self.pauseMax) }
        lastPass = now
        let isDue = packetsSince >= Self.packetsMin && timeSince.map { $0 >= Self.silence } ?? false
        if isDue {
            (timeSince, packetsSince) = (.zero, 0)
            repeatTables(emit)
        }
        packetsSince += packets.count / Self.packetBytes
        var start = 0
        for at in stride(from: 0, through: packets.count - Self.packetBytes, by: Self.packetBytes) {
            let pid = UInt16(packets[at + 1] & 0x1f) << 8 | UInt16(packets[at + 2])
            guard let index = tables.firstIndex(where: { $0.pid == pid }) else { continue }
            let packet = UnsafeRawBufferPointer(rebasing: packets[at..<at + Self.packetBytes])
            if pid == 0 { (timeSince, packetsSince) = (.zero, 0) }
            note(packet, at: index)
            guard tables.indices.contains(index), tables[index].inserted != 0 else { continue }
            if at > start { emit(UnsafeRawBufferPointer(rebasing: packets[start..<at])) }
            Self.emit(Array(packet), counter: tables[index].counter, emit)
            start = at + Self.packetBytes
        }
        if start < packets.count { emit(UnsafeRawBufferPointer(rebasing: packets[start...])) }
        return isDue && isComplete
    }

    private var isComplete: Bool { tables.count > 1 && tables.allSatisfy { !$0.bytes.isEmpty } }

    private mutating func repeatTables(_ emit: TransportAligner.Emit) {
        guard isRepeating, isComplete else { return }
        for index in tables.indices {
            let bytes = tables[index].bytes
            for at in stride(from: 0, to: bytes.count, by: Self.packetBytes) {
                tables[index].counter = (tables[index].counter + 1) & 15
                tables[index].inserted = (tables[index].inserted + 1) & 15
                Self.emit(Array(bytes[at..<at + Self.packetBytes]), counter: tables[index].counter, emit)
            }
        }
    }

    private static func emit(_ packet: [UInt8], counter: UInt8, _ emit: TransportAligner.Emit) {
        var packet = packet
        packet[3] = packet[3] & 0xf0 | counter
        packet.withUnsafeBytes { emit($0) }
    }

    /// Keeps a packet of a table, and reads the PAT's programs.
    private mutating func note(_ packet: UnsafeRawBufferPointer, at index: Int) {
        tables[index].counter = (packet[3] &+ tables[index].inserted) & 15
        guard packet[1] & 0x80 == 0, packet[3] & 0x10 != 0 else { return }
        let isStart = packet[1] & 0x40 != 0
        if isStart {
            tables[index].bytes = Array(packet)
        } else if !tables[index].bytes.isEmpty {
            tables[index].bytes += packet
        }
        if tables[index].bytes.count > Self.tablePacketsMax * Self.packetBytes { tables[index].bytes = [] }
        if index == 0, isStart { readPrograms(packet) }
    }

    private mutating func readPrograms(_ packet: UnsafeRawBufferPointer) {
        // The payload begins after the adaptation field, the section after the pointer field.
        let payload = 4 + (packet[3] & 0x20 != 0 ? 1 + Int(packet[4]) : 0)
        guard payload < packet.count else { return }
        let section = payload + 1 + Int(packet[payload])
        guard section + 8 <= packet.count, packet[section] == 0 else { return }
        let end = min(section + 3 + (Int(packet[section + 1] & 0x0f) << 8 | Int(packet[section + 2])) - 4, packet.count)
        var pids: [UInt16] = []
        for at in stride(from: section + 8, through: end - 4, by: 4) {
            let pid = UInt16(packet[at + 2] & 0x1f) << 8 | UInt16(packet[at + 3])
            let isProgram = packet[at] != 0 || packet[at + 1] != 0
            if isProgram, pid != 0, !pids.contains(pid) { pids.append(pid) }
        }
        guard pids.count <= Self.programsMax, pids != tables.dropFirst().map(\.pid) else { return }
        let known = tables
        tables = [tables[0]] + pids.map { pid in known.first { $0.pid == pid } ?? Table(pid: pid) }
    }
}
