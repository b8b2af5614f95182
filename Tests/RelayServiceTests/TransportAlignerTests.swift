import ReflectorModel
import Testing

@testable import RelayService

@Suite("Finding TS packets in an encoder's bytes")
struct TransportAlignerTests {
    /// Packets with random content, which may look like the start of another.
    private func packets(_ count: Int, seed: UInt64 = 1) -> [[UInt8]] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { _ in
            [0x47] + (0..<187).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        }
    }

    private struct Output {
        var bytes: [UInt8] = []
        var skipped = 0
        var rest: [UInt8] = []
    }

    /// Runs pieces through an aligner, as parts of a connection or as datagrams.
    private func align(_ pieces: [[UInt8]], datagrams: Bool = false, beginning: [UInt8] = []) -> Output {
        var aligner = TransportAligner(beginning: beginning)
        var output = Output()
        for piece in pieces {
            piece.withUnsafeBytes { bytes in
                if datagrams {
                    aligner.appendDatagram(bytes) { output.bytes += $0 }
                } else {
                    aligner.append(bytes) { output.bytes += $0 }
                }
            }
            output.skipped += aligner.takeSkipped()
        }
        output.rest = aligner.finish { output.bytes += $0 }
        output.skipped += aligner.takeSkipped()
        return output
    }

    private func cut(_ bytes: [UInt8], seed: UInt64, most: Int = 3_000) -> [[UInt8]] {
        var random = SeededGenerator(seed: seed)
        var pieces: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = min(rest.count, Int.random(in: 1...most, using: &random))
            pieces.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        return pieces
    }

    @Test("A stream in any pieces comes out whole, from its first packet to its last", arguments: 0..<100)
    func whole(seed: UInt64) {
        let stream = Array(packets(60, seed: seed).joined())
        let output = align(cut(stream, seed: seed, most: seed % 2 == 0 ? 3_000 : 50))
        #expect(output.bytes == stream)
        #expect(output.skipped == 0 && output.rest.isEmpty)
    }

    @Test("A connection that begins and ends inside packets gives only the whole ones", arguments: 1..<100)
    func partial(seed: UInt64) {
        let all = packets(60, seed: seed)
        let (head, tail) = (Int(seed * 37 % 187) + 1, Int(seed * 53 % 187) + 1)
        let stream = Array(all.joined().dropFirst(188 - head).dropLast(188 - tail))
        let output = align(cut(stream, seed: seed))
        #expect(output.bytes == Array(all[1..<59].joined()))
        #expect(output.skipped == head && output.rest.count == tail)
    }

    @Test("A packet without its end is dropped, and the following packets are found", arguments: 1..<188)
    func hole(length: Int) {
        let all = packets(40, seed: UInt64(length))
        let stream = Array(all[..<20].joined()) + all[20].prefix(length) + Array(all[21...].joined())
        let output = align(cut(stream, seed: UInt64(length)))
        let kept = Array(all[..<20].joined()) + Array(all[21...].joined())
        // If a read ended 188 bytes after the cut packet began, it may already be out; at most one more packet is lost.
        #expect(output.bytes.count % 188 == 0)
        #expect(output.bytes.count >= kept.count - 2 * 188 && output.bytes.count <= kept.count + 188)
        #expect(output.bytes.suffix(15 * 188) == kept.suffix(15 * 188))
    }

    @Test("One broken sync byte costs one packet")
    func brokenSync() {
        var all = packets(30)
        all[10][0] = 0x46
        #expect(align([Array(all.joined())]).bytes == Array((all[..<10] + all[11...]).joined()))
    }

    @Test("Packets with Reed–Solomon bytes or a time stamp come out as 188 bytes", arguments: [(0, 16), (4, 0)])
    func otherLengths(before: Int, after: Int) {
        let all = packets(30)
        let stream = all.flatMap { [UInt8](repeating: 9, count: before) + $0 + [UInt8](repeating: 9, count: after) }
        #expect(align(cut(stream, seed: 5, most: 500)).bytes == Array(all.joined()))
    }

    @Test("Input that is not MPEG-TS is dropped")
    func junk() {
        var random = SeededGenerator(seed: 3)
        let bytes = (0..<200_000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let output = align(cut(bytes, seed: 3))
        #expect(output.bytes.count < 200_000 / 500)
        #expect(output.bytes.count + output.skipped + output.rest.count <= 200_000 + 188)
    }

    @Test("Even the shortest streams come out", arguments: 1...3)
    func short(count: Int) {
        let stream = Array(packets(count).joined())
        #expect(align([stream]).bytes == stream)
        #expect(align([stream], datagrams: true).bytes == stream)
    }

    @Test("Datagrams of any size form one stream", arguments: [100, 188, 1_264, 1_316, 1_358, 1_472, 9_000, 65_507])
    func anyDatagram(size: Int) {
        let stream = Array(packets(800).joined())
        let pieces = stride(from: 0, to: stream.count, by: size).map {
            Array(stream[$0..<min($0 + size, stream.count)])
        }
        #expect(align(pieces, datagrams: true).bytes == stream)
    }

    @Test("A lost datagram costs only the packets in it", arguments: [1_316, 1_472])
    func lostDatagram(size: Int) {
        let all = packets(80)
        let stream = Array(all.joined())
        var pieces = stride(from: 0, to: stream.count, by: size).map {
            Array(stream[$0..<min($0 + size, stream.count)])
        }
        pieces.remove(at: 3)
        let output = align(pieces, datagrams: true)
        let (first, last) = (3 * size / 188, (4 * size + 187) / 188)
        #expect(output.bytes == Array((all[..<first] + all[last...]).joined()))
    }

    @Test("Datagrams with padding after whole packets lose only the padding")
    func padded() {
        let all = packets(70)
        let pieces = stride(from: 0, to: 70, by: 7).map { Array(all[$0..<$0 + 7].joined()) + [0, 0, 0, 0, 0] }
        #expect(align(pieces, datagrams: true).bytes == Array(all.joined()))
    }

    @Test("RTP is unwrapped, with extensions and padding; duplicates are dropped, missing packets are counted")
    func rtp() {
        let all = packets(70)
        func packet(_ number: Int, _ first: UInt8, _ extra: [UInt8], padding: [UInt8] = []) -> [UInt8] {
            let header = [first, 33, UInt8(number >> 8 & 255), UInt8(number & 255)] + [UInt8](repeating: 1, count: 8)
            return header + extra + Array(all[number % 10 * 7..<number % 10 * 7 + 7].joined()) + padding
        }
        let pieces = [
            packet(65_530, 0x80, []), packet(65_531, 0x81, [1, 2, 3, 4]),
            packet(65_532, 0x90, [0xbe, 0xde, 0, 1, 5, 6, 7, 8]), packet(65_533, 0xa0, [], padding: [0, 0, 3]),
            packet(65_533, 0x80, []), packet(65_536, 0x80, []),
        ]
        var aligner = TransportAligner()
        var bytes: [UInt8] = []
        for piece in pieces { piece.withUnsafeBytes { aligner.appendDatagram($0) { bytes += $0 } } }
        #expect(bytes == Array(all[0..<28].joined()), "the last packet waits for those before it")
        _ = aligner.finish { bytes += $0 }
        #expect(bytes == Array((all[0..<28] + all[42..<49]).joined()))
        #expect(aligner.takeMissingRTP() == 2)
        #expect(aligner.takeSkipped() == 0)
    }

    @Test("Reordered RTP packets come out in order; a missing one delays the others by 50 ms at most (tsduck#908)")
    func rtpOrder() {
        let all = packets(700)
        func piece(_ index: Int) -> [UInt8] { Array(all[index * 7..<index * 7 + 7].joined()) }
        func run(_ indices: [Int], from base: Int = 65_500, ticks: Int = 450) -> (bytes: [UInt8], missing: Int) {
            var aligner = TransportAligner()
            var bytes: [UInt8] = []
            for index in indices {
                let (number, time) = ((base + index) & 0xffff, UInt32(truncatingIfNeeded: index * ticks))
                var datagram: [UInt8] = [0x80, 33, UInt8(number >> 8), UInt8(number & 255)]
                for shift in [24, 16, 8, 0] { datagram.append(UInt8(truncatingIfNeeded: time >> UInt32(shift))) }
                datagram += [1, 2, 3, 4]
                datagram += piece(index)
                datagram.withUnsafeBytes { aligner.appendDatagram($0) { bytes += $0 } }
            }
            _ = aligner.finish { bytes += $0 }
            return (bytes, aligner.takeMissingRTP())
        }
        let order = Array(0..<100)
        let whole = Array(all.joined())
        var swapped = order
        for index in stride(from: 3, to: 96, by: 4) { swapped.swapAt(index, index + 3) }
        let repaired = run(swapped)
        #expect(repaired.bytes == whole)
        #expect(repaired.missing == 0)
        // Duplicates come at once or too late, and the time stamp never changes.
        let duplicated = run(swapped.flatMap { $0 % 5 == 0 ? [$0, $0] : [$0] } + [40, 50], ticks: 0)
        #expect(duplicated.bytes == whole)
        #expect(duplicated.missing == 0)
        // Some packets are lost: the others continue.
        let left = order.filter { $0 != 20 && $0 != 21 }
        let lossy = run(left)
        #expect(lossy.bytes == Array(left.map(piece).joined()))
        #expect(lossy.missing == 2)
        // A sender restarts with lower numbers: its packets are treated as late ones only for a short time.
        let again = run(order + Array(60..<100))
        #expect(again.bytes.count == 1_316 * (100 + 40 - 32))
    }

    @Test("A packet cut off by the end of a request continues in the next one, and only there")
    func beginning() {
        let all = packets(40)
        let stream = Array(all.joined())
        let first = align([Array(stream[..<2_000])])
        #expect(first.rest.count == 2_000 % 188)
        #expect(align([Array(stream[2_000...])], beginning: first.rest).bytes == Array(all[10...].joined()))
        // Another encoder, without the rest of the packet.
        let other = Array(packets(20, seed: 9).joined())
        #expect(align([other], beginning: first.rest).bytes == other)
    }

    @Test("Datagrams of other protocols are distinguished from MPEG-TS")
    func plausible() {
        let one = packets(1)[0]
        func isPlausible(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes(TransportAligner.isPlausible) }
        #expect(isPlausible(one))
        #expect(isPlausible(Array((one + one + one).dropFirst(100))))
        #expect(isPlausible([0x80, 33] + [UInt8](repeating: 0, count: 10) + one))
        for other in [[], [0x47], Array("GET / HTTP/1.1\r\n".utf8), [UInt8](repeating: 0, count: 1_316)] {
            #expect(!isPlausible(other))
        }
    }

    @Test("Any bytes in any pieces are processed without a trap", arguments: 0..<300)
    func fuzz(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let frequent = seed % 3 == 0
        let bytes = (0..<6_000).map { _ in
            frequent && random.next() % 4 == 0 ? 0x47 : UInt8(truncatingIfNeeded: random.next() % 160)
        }
        for datagrams in [false, true] {
            let output = align(cut(bytes, seed: seed, most: 700), datagrams: datagrams)
            #expect(output.bytes.count % 188 == 0)
            #expect(output.bytes.count + output.skipped + output.rest.count <= 6_000)
        }
    }
}
