import NIOCore

/// Removes programs other than the followed one from a segment (RFC 8216 §3.2: a segment has one program): players
/// choose the first program of the PAT, even if it never arrives. The tables at the start of the segment list only the
/// followed program.
enum ProgramFilter {
    /// A copy of the whole packets of the followed program, without any tables (PAT and PMTs).
    static func filter(_ buffers: [ByteBuffer], of program: ProgramFinder) -> [ByteBuffer] {
        var result = ByteBufferAllocator().buffer(capacity: buffers.reduce(0) { $0 + $1.readableBytes })
        // Slices can end in the middle of a packet, so packets are collected first.
        var packet: [UInt8] = []
        for buffer in buffers {
            for byte in buffer.readableBytesView {
                packet.append(byte)
                guard packet.count == TransportPacket.length else { continue }
                let pid = UInt16(packet[1] & 0x1f) << 8 | UInt16(packet[2])
                if program.isOfProgram(pid), !program.isTable(pid) { result.writeBytes(packet) }
                packet.removeAll(keepingCapacity: true)
            }
        }
        return [result]
    }
}
