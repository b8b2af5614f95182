import Testing

@testable import LocalNetwork

@Suite("Transport stream check of viewers")
struct TransportStreamCheckTests {
    private func packet(_ counter: Int, pid: Int = 256, payload: Bool = true, flags: UInt8? = nil) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xff, count: TransportStreamCheck.packetBytes)
        bytes[0] = 0x47
        bytes[1] = UInt8(pid >> 8)
        bytes[2] = UInt8(pid & 0xff)
        bytes[3] = (payload ? 0x10 : 0) | (flags == nil ? 0 : 0x20) | UInt8(counter & 15)
        if let flags {
            bytes[4] = 1
            bytes[5] = flags
        }
        return bytes
    }

    /// Counts continuity and sync errors in these packets, once for each of several lengths of the pieces fed.
    private func errors(_ packets: [[UInt8]]) -> [(UInt64, UInt64)] {
        let bytes = packets.flatMap { $0 }
        return [1, 5, 187, 188, 1_316, bytes.count].map { length in
            var check = TransportStreamCheck()
            var rest = bytes[...]
            while !rest.isEmpty {
                Array(rest.prefix(length)).withUnsafeBytes { check.take($0) }
                rest = rest.dropFirst(length)
            }
            return (check.continuityErrors, check.syncErrors)
        }
    }

    @Test("a continuous stream on two PIDs, with the counter's wrap, has no errors, in pieces of any length")
    func good() {
        let packets = (0..<40).flatMap { [packet($0), packet($0 + 7, pid: 257)] }
        #expect(errors(packets).allSatisfy { $0 == (0, 0) })
    }

    @Test("one missing packet is one error")
    func missing() {
        let packets = (0..<40).filter { $0 != 20 }.map { packet($0) }
        #expect(errors(packets).allSatisfy { $0 == (1, 0) })
    }

    @Test("one repeat, packets without payload and announced discontinuities are allowed; a second repeat is not")
    func exceptions() {
        let allowed = [
            packet(1), packet(1), packet(2), packet(2, payload: false, flags: 0), packet(9, flags: 0x80), packet(10),
        ]
        #expect(errors(allowed).allSatisfy { $0 == (0, 0) })
        #expect(errors([packet(1), packet(1), packet(1)]).allSatisfy { $0 == (1, 0) })
    }

    @Test("a packet without its sync byte is counted")
    func sync() {
        var broken = packet(2)
        broken[0] = 0
        #expect(errors([packet(1), broken, packet(2)]).allSatisfy { $0 == (0, 1) })
    }
}
