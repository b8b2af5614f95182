import NIOCore
import ReflectorModel

/// The point that viewers have reached in a source that is over: its program, the end of each elementary stream, and
/// when it ended.
struct SpliceReference {
    /// Bytes that are read back from the end of the old source: two access units of 4 MB/s at 2 pictures a second.
    private static let readBackMax: UInt64 = 4 << 20
    private static let lastPacketsCount = 64

    let program: ProgramFinder
    let position: StreamPosition
    /// When the last bytes of the source arrived.
    let arrival: MonotonicInstant
    let leading: StreamPosition.Track
    /// The leading stream's last two PES packets, as far as viewers have them; empty if they are no longer held.
    private(set) var leadingEnd: [UInt8] = []
    /// The last packets that viewers have; empty unless they contain a time stamp, which makes them unique.
    private(set) var lastPackets: ArraySlice<UInt8> = []
    /// Bytes that viewers have of the newest PES packet of each PID; absent if they are no longer held.
    private var counts: [(pid: UInt16, count: Int)] = []

    /// Nil if the old source has no program, or its leading stream has no time stamps.
    init?(_ scanner: TransportStreamScanner, in buffer: inout ChunkBuffer, arrival: MonotonicInstant) {
        guard let map = scanner.program.map, let pid = map.leading?.pid, let leading = scanner.position.track(pid)
        else {
            return nil
        }
        program = scanner.program
        position = scanner.position
        self.arrival = arrival
        self.leading = leading
        readBack(&buffer)
    }

    /// Bytes that viewers have of the newest PES packet of that PID.
    func count(_ pid: UInt16) -> Int? { counts.first { $0.pid == pid }?.count }

    /// True if the new source carries the same program.
    func isAlike(_ other: ProgramFinder) -> Bool { program.map == other.map && program.mapPID == other.mapPID }

    /// Payload bytes of a PID in whole packets that begin at `start`, at most `countMax`.
    static func payload(of pid: UInt16, in bytes: Span<UInt8>, from start: Int, countMax: Int = .max) -> [UInt8] {
        var result: [UInt8] = []
        var index = start
        while bytes.count - index >= TransportPacket.length, result.count < countMax {
            let packet = bytes.extracting(index..<index + TransportPacket.length)
            index += TransportPacket.length
            guard let header = TransportPacket(packet), header.pid == pid else { continue }
            for at in header.payload.prefix(countMax - result.count) { result.append(packet[at]) }
        }
        return result
    }

    /// Where the packets after the last ones that viewers have begin in `bytes`; nil if those aren't there.
    func end(in bytes: [UInt8]) -> Int? {
        guard !lastPackets.isEmpty else { return nil }
        let counter = lastPackets[lastPackets.startIndex + 3]
        for index in stride(from: 0, through: bytes.count - lastPackets.count, by: TransportPacket.length)
        where bytes[index + 3] == counter && bytes[index..<index + lastPackets.count] == lastPackets {
            return index + lastPackets.count
        }
        return nil
    }

    private mutating func readBack(_ buffer: inout ChunkBuffer) {
        let oldest = max(buffer.start, buffer.end - min(buffer.end, Self.readBackMax))
        let first = position.tracks.reduce(leading.previousStart ?? leading.start) { min($0, $1.start) }
        let start = max(first, oldest)
        // Only whole packets are appended, so packets begin at a multiple of their length before the end.
        let from = buffer.end - (buffer.end - start) / UInt64(TransportPacket.length) * UInt64(TransportPacket.length)
        buffer.seal()
        guard let slices = buffer.slices(from..<buffer.end) else { return }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(buffer.end - from))
        for slice in slices { bytes += slice.readableBytesView }
        let last = bytes.suffix(Self.lastPacketsCount * TransportPacket.length)
        let lastStart = buffer.end - UInt64(last.count)
        if position.tracks.contains(where: { $0.start >= lastStart }) { lastPackets = last }
        for track in position.tracks where track.start >= from {
            counts.append((track.pid, Self.payload(of: track.pid, in: bytes.span, from: Int(track.start - from)).count))
        }
        let begin = leading.previousStart.map { $0 >= from ? $0 : leading.start } ?? leading.start
        guard begin >= from else { return }
        leadingEnd = Self.payload(of: leading.pid, in: bytes.span, from: Int(begin - from))
    }
}
