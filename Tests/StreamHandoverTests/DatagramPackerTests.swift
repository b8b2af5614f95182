import NIOCore
import ReflectorModel
import Testing

@testable import StreamHandover

@Suite("Datagrams of transport packets")
struct DatagramPackerTests {
    private func packets(_ range: Range<Int>) -> [UInt8] {
        range.flatMap { number -> [UInt8] in [0x47, UInt8(number & 0xff)] + [UInt8](repeating: 0, count: 186) }
    }

    private func milliseconds(_ count: Int64) -> MonotonicInstant { .zero + .milliseconds(count) }

    private func next(_ packer: inout DatagramPacker, at now: MonotonicInstant) -> [UInt8]? {
        guard let length = packer.nextLength(at: now) else { return nil }
        var bytes = [UInt8](repeating: 0, count: length)
        bytes.withUnsafeMutableBytes { packer.write(length, to: $0, at: now) }
        return bytes
    }

    @Test("Seven packets make a datagram, however the bytes come; fewer are sent after 40 ms")
    func seven() {
        var packer = DatagramPacker(rtpSource: nil)
        let bytes = packets(0..<10)
        for chunk in stride(from: 0, to: bytes.count, by: 100) {
            packer.add([ByteBuffer(bytes: bytes[chunk..<min(chunk + 100, bytes.count)])], at: .zero)
        }
        #expect(next(&packer, at: .zero) == Array(bytes[..<1_316]))
        #expect(next(&packer, at: milliseconds(39)) == nil)
        #expect(next(&packer, at: milliseconds(40)) == Array(bytes[1_316...]))
        #expect(next(&packer, at: milliseconds(80)) == nil)
        #expect(packer.bytesWaiting == 0 && packer.bytesSkipped == 0)
    }

    @Test("Bytes between packets are dropped and counted, and never part of a datagram")
    func resynchronizes() {
        var packer = DatagramPacker(rtpSource: nil)
        packer.add([ByteBuffer(bytes: [1, 2, 0x47, 3] + packets(0..<3) + [9, 9] + packets(3..<10))], at: .zero)
        #expect(next(&packer, at: .zero) == packets(0..<3))
        #expect(next(&packer, at: .zero) == packets(3..<10))
        #expect(packer.bytesSkipped == 6)
    }

    @Test("A stream that is no transport stream gives no datagrams")
    func other() {
        var packer = DatagramPacker(rtpSource: nil)
        packer.add([ByteBuffer(bytes: [UInt8](repeating: 0x11, count: 100_000))], at: .zero)
        #expect(next(&packer, at: milliseconds(100)) == nil)
        #expect(packer.bytesSkipped > 99_000)
    }

    @Test("RTP packets have payload type 33, consecutive numbers and a 90 kHz clock")
    func rtp() throws {
        var packer = DatagramPacker(rtpSource: 0x0102_0304)
        packer.add([ByteBuffer(bytes: packets(0..<14))], at: .zero)
        let first = try #require(next(&packer, at: milliseconds(0)))
        let second = try #require(next(&packer, at: milliseconds(1_000)))
        #expect(first.count == 1_328)
        #expect(first[..<12] == [0x80, 33, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])
        #expect(second[..<12] == [0x80, 33, 0, 1, 0, 1, 0x5f, 0x90, 1, 2, 3, 4])
        #expect(Array(second[12...]) == packets(7..<14))
    }

    @Test("No rate limit is exceeded in any span, and a pause gives no more than the burst")
    func budget() {
        var budget = SendBudget(bitsPerSecond: 8_000_000, burst: .milliseconds(10), at: .zero)
        var sent = 0
        for turn in 0..<1_000 {
            budget.refill(at: milliseconds(Int64(turn) * 5))
            while budget.allows(1_328) {
                budget.take(1_328)
                sent += 1_328
            }
        }
        #expect(sent <= 5_000_000 + 10_000 && sent > 4_900_000)
        budget.refill(at: milliseconds(100_000))
        var burst = 0
        while budget.allows(1_328) {
            budget.take(1_328)
            burst += 1_328
        }
        #expect(burst <= 10_000)
    }
}
