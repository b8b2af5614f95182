import ReflectorModel
import Testing

@testable import RelayService

@Suite("Tables of an encoder")
struct TableRepeaterTests {
    private static let pat: [UInt8] = [0, 0, 0xb0, 13, 0, 1, 0xc1, 0, 0, 0, 1, 0xf0, 0, 1, 2, 3, 4]
    private static let pmt: [UInt8] = [0, 2, 0xb0, 13, 0, 1, 0xc1, 0, 0, 0xe1, 0, 0xf0, 0, 1, 2, 3, 4]

    private func packet(_ pid: UInt16, _ counter: UInt8, _ payload: [UInt8] = [], isStart: Bool = true) -> [UInt8] {
        let head = [0x47, (isStart ? 0x40 : 0) | UInt8(pid >> 8), UInt8(pid & 255), 0x10 | counter & 15]
        return head + payload + [UInt8](repeating: 0xff, count: 184 - payload.count)
    }

    @Test("Tables that an encoder sends once are repeated, and continuity counters continue")
    func repeated() {
        var repeater = TableRepeater()
        var output: [[UInt8]] = []
        func pass(_ packets: [[UInt8]], at seconds: Int64) -> Bool {
            Array(packets.joined()).withUnsafeBytes { bytes in
                repeater.pass(bytes, at: MonotonicInstant.zero + .seconds(seconds)) { run in
                    for at in stride(from: 0, to: run.count, by: 188) { output.append(Array(run[at..<at + 188])) }
                }
            }
        }
        let tables = [packet(0, 0, Self.pat), packet(4_096, 14, Self.pmt)]
        let pictures = Array(repeating: packet(256, 3), count: 120)
        #expect(!pass(tables + pictures, at: 1))
        #expect(!pass(pictures, at: 2))
        #expect(output == tables + pictures + pictures)
        output = []
        #expect(pass(pictures, at: 3))
        #expect(output == [packet(0, 1, Self.pat), packet(4_096, 15, Self.pmt)] + pictures)
        output = []
        #expect(!pass(pictures, at: 4))
        #expect(pass(Array(pictures[..<2]), at: 5))
        // A pause does not mean that tables are missing.
        #expect(!pass(pictures, at: 60))
        // The encoder sends its tables again; their counters continue after those of the inserted ones.
        #expect(pass([pictures[0], packet(0, 1, Self.pat), packet(4_096, 15, Self.pmt)], at: 61))
        let counters = output.filter { $0[1] & 0x1f == 0 && $0[2] == 0 }.map { $0[3] & 15 }
        #expect(counters == [2, 3, 4])
        #expect(output.filter { $0[1] & 0x1f == 0x10 }.map { $0[3] & 15 } == [0, 1, 2])
    }

    @Test("A stream with frequent tables, or none, passes unchanged")
    func unchanged() {
        for tables in [[packet(0, 0, Self.pat), packet(4_096, 0, Self.pmt)], [packet(0, 0, Self.pat)], []] {
            var repeater = TableRepeater()
            var (input, output): ([UInt8], [UInt8]) = ([], [])
            let pictures = (0..<120).map { packet(256, UInt8($0)) }
            for second in 0..<20 {
                let isEarly = tables.count == 2 || second < 1
                let bytes = Array(((isEarly ? tables : []) + pictures).joined())
                input += bytes
                let hasRepeated = bytes.withUnsafeBytes { all in
                    repeater.pass(all, at: .zero + .seconds(Int64(second))) { output += $0 }
                }
                #expect(!hasRepeated)
            }
            #expect(input == output)
        }
    }

    @Test("A pause between two tables is not taken for missing tables, however many packets came before it")
    func pauses() {
        var repeater = TableRepeater()
        var (input, output): ([UInt8], [UInt8]) = ([], [])
        for round in 0..<20 {
            // The pause comes 120 packets after the tables, and the next ones follow 120 packets after the pause.
            let tables = [packet(0, UInt8(round), Self.pat), packet(4_096, UInt8(round), Self.pmt)]
            let pictures = (0..<120).map { packet(256, UInt8($0)) }
            for (packets, milliseconds) in [(tables, 0), (pictures, 100), (pictures, 3_200), (pictures, 3_300)] {
                let bytes = Array(packets.joined())
                input += bytes
                bytes.withUnsafeBytes { all in
                    _ = repeater.pass(all, at: .zero + .milliseconds(Int64(round * 4_000 + milliseconds))) {
                        output += $0
                    }
                }
            }
        }
        #expect(input == output)
    }

    @Test("Missing tables of a stream that must pass unchanged are noticed, and not repeated")
    func noticed() {
        var repeater = TableRepeater(isRepeating: false)
        var (input, output): ([UInt8], [UInt8]) = ([], [])
        var due = 0
        for second in 0..<9 {
            let tables = second == 0 || second == 7 ? [packet(0, 0, Self.pat), packet(4_096, 0, Self.pmt)] : []
            let bytes = Array((tables + Array(repeating: packet(256, 3), count: 120)).joined())
            input += bytes
            let isDue = bytes.withUnsafeBytes { all in
                repeater.pass(all, at: .zero + .seconds(Int64(second))) { output += $0 }
            }
            if isDue { due += 1 }
        }
        #expect(input == output && due == 3)
    }

    @Test("Any packets are processed without a trap", arguments: 0..<100)
    func fuzz(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var repeater = TableRepeater()
        for second in 0..<200 {
            var bytes: [UInt8] = []
            for _ in 0..<120 {
                var one = packet([0, 0, 4_096, 256][Int(random.next() % 4)], UInt8(random.next() % 16), Self.pat)
                for _ in 0..<random.next() % 8 {
                    one[1 + Int(random.next() % 30)] = UInt8(truncatingIfNeeded: random.next())
                }
                bytes += one
            }
            var count = 0
            _ = bytes.withUnsafeBytes { all in
                repeater.pass(all, at: .zero + .seconds(Int64(second) * 3)) { count += $0.count }
            }
            #expect(count >= bytes.count && count % 188 == 0)
        }
    }
}
