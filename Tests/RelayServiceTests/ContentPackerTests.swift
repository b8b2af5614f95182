import ReflectorModel
import Testing

@testable import RelayService

@Suite("Payloads that the content cuts")
struct ContentPackerTests {
    private static let packetBytes = 188

    /// Packets of a few PIDs with random payload: units of random length, tables, null packets, runs of starts.
    private func stream(packets: Int, _ random: inout SeededGenerator) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(packets * Self.packetBytes)
        let pids = [0, 0x11, 0x100, 0x100, 0x101, 0x1000, 0x1fff]
        let rates: [Double] = [0.05, 0.1, 0.5, 1]
        let startRate = rates.randomElement(using: &random) ?? 0.1
        for index in 0..<packets {
            let pid = pids.randomElement(using: &random) ?? 0x100
            let isStart = pid != 0x1fff && Double.random(in: 0..<1, using: &random) < startRate
            bytes += [0x47, (isStart ? 0x40 : 0) | UInt8(pid >> 8), UInt8(pid & 0xff), 0x10 | UInt8(index & 15)]
            for _ in 0..<23 { withUnsafeBytes(of: random.next()) { bytes += $0 } }
        }
        return bytes
    }

    /// Feeds the bytes as an encoder's connection does, in pieces of random size at random intervals.
    private func payloads(
        of bytes: ArraySlice<UInt8>, limit: Int, _ random: inout SeededGenerator, asDatagrams: Bool = false
    ) -> [[UInt8]] {
        var aligner = TransportAligner()
        var packer = ContentPacker()
        packer.limit(to: limit)
        var now = MonotonicInstant.zero
        var result: [[UInt8]] = []
        func pack(_ packets: [UInt8]) {
            // The session hands over 16 kB at a time, wherever a packet ends.
            var rest = packets[...]
            while !rest.isEmpty {
                var batch = PayloadBatch()
                let piece = rest.prefix(Int.random(in: 1...20_000, using: &random))
                piece.withUnsafeBytes { packer.append($0, at: now, into: &batch) }
                rest = rest.dropFirst(piece.count)
                result += batch.payloads
            }
        }
        var rest = bytes
        while !rest.isEmpty {
            let size = asDatagrams ? 1_316 : Int.random(in: 1...6_000, using: &random)
            let piece = Array(rest.prefix(size))
            rest = rest.dropFirst(size)
            var packets: [UInt8] = []
            piece.withUnsafeBytes { all in
                asDatagrams
                    ? aligner.appendDatagram(all) { packets += Array($0) }
                    : aligner.append(all) { packets += Array($0) }
            }
            pack(packets)
            now = now + .milliseconds(Int64.random(in: 0...20, using: &random))
            var batch = PayloadBatch()
            packer.handleTimeout(at: now, into: &batch)
            result += batch.payloads
        }
        var packets: [UInt8] = []
        _ = aligner.finish { packets += Array($0) }
        pack(packets)
        var batch = PayloadBatch()
        packer.finish(into: &batch)
        return result + batch.payloads
    }

    private func startsUnit(_ payload: [UInt8]) -> Bool { payload.count > 1 && payload[1] & 0x40 != 0 }

    @Test("The payloads in order are the input; each is full, or the next one starts a unit", arguments: 0..<60)
    func exact(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let bytes = stream(packets: Int.random(in: 3...300, using: &random), &random)
        let limit = [188, 1_128, 1_316].randomElement(using: &random) ?? 188
        let payloads = payloads(of: bytes[...], limit: limit, &random)
        #expect(Array(payloads.joined()) == bytes)
        for (payload, next) in zip(payloads, payloads.dropFirst()) {
            #expect(payload.count <= limit && payload.count % 188 == 0)
            #expect(payload.count == limit || startsUnit(next))
        }
        // Units start at the start of a payload only.
        for payload in payloads {
            #expect(stride(from: 189, to: payload.count, by: 188).allSatisfy { payload[$0] & 0x40 == 0 })
        }
    }

    @Test(
        "An entrypoint that joins late, even inside a packet, cuts the same payloads from the second unit on",
        arguments: 0..<150)
    func joinsLate(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed &+ 1_000)
        let bytes = stream(packets: 400, &random)
        let limit = [188, 1_128, 1_316].randomElement(using: &random) ?? 188
        let offset = Int.random(in: 0...bytes.count / 2, using: &random)
        let asDatagrams = seed % 5 == 0
        let first = payloads(of: bytes[...], limit: limit, &random, asDatagrams: asDatagrams)
        let late = payloads(of: bytes[offset...], limit: limit, &random)
        let starts = stride(from: 0, to: bytes.count, by: 188).filter { $0 >= offset && bytes[$0 + 1] & 0x40 != 0 }
        try #require(starts.count > 2)
        #expect(
            suffix(of: first, from: starts[1], of: bytes.count) == suffix(of: late, from: starts[1], of: bytes.count))
    }

    @Test("After a lost connection in the middle, an entrypoint cuts the same payloads as before", arguments: 0..<50)
    func returns(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed &+ 2_000)
        let bytes = stream(packets: 600, &random)
        let gap = Int.random(in: 1_000...30_000, using: &random)..<Int.random(in: 30_001...60_000, using: &random)
        let first = payloads(of: bytes[...], limit: 1_316, &random)
        let before = payloads(of: bytes[..<gap.lowerBound], limit: 1_316, &random)
        let after = payloads(of: bytes[gap.upperBound...], limit: 1_316, &random)
        #expect(before.dropLast(2) == first.prefix(max(before.count - 2, 0)))
        let starts = stride(from: 0, to: bytes.count, by: 188).filter {
            $0 >= gap.upperBound && bytes[$0 + 1] & 0x40 != 0
        }
        try #require(starts.count > 2)
        #expect(
            suffix(of: first, from: starts[1], of: bytes.count) == suffix(of: after, from: starts[1], of: bytes.count))
    }

    /// The payloads from an offset in a stream to its end; empty if none begins there.
    private func suffix(of payloads: [[UInt8]], from offset: Int, of count: Int) -> [[UInt8]] {
        var left = count - offset
        var result: [[UInt8]] = []
        for payload in payloads.reversed() where left > 0 {
            left -= payload.count
            result.append(payload)
        }
        return left == 0 ? result.reversed() : []
    }

    @Test("Nothing leaves early, however long the input stalls: the payloads are the same as without the stall")
    func stall() {
        var random = SeededGenerator(seed: 7)
        let unit = packet(isStart: true, &random) + packet(&random) + packet(&random)
        var packer = ContentPacker()
        var batch = PayloadBatch()
        func append(_ bytes: [UInt8], at milliseconds: Int64) {
            bytes.withUnsafeBytes { packer.append($0, at: .zero + .milliseconds(milliseconds), into: &batch) }
        }
        append(unit, at: 0)
        append(packet(&random), at: 150)
        #expect(packer.nextTimeout == nil)
        packer.handleTimeout(at: .zero + .seconds(60), into: &batch)
        #expect(batch.isEmpty)
        for _ in 0..<4 { append(packet(&random), at: 60_000) }
        #expect(batch.payloads.map(\.count) == [7 * 188])
        append(packet(isStart: true, &random), at: 60_001)
        #expect(batch.payloads.map(\.count) == [7 * 188, 188])
    }

    private func packet(isStart: Bool = false, _ random: inout SeededGenerator) -> [UInt8] {
        [0x47, isStart ? 0x41 : 0x01, 0, 0x10] + (0..<184).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    @Test("A lower limit applies at once, and from the next unit on the cuts depend on it alone")
    func limit() {
        var random = SeededGenerator(seed: 8)
        var packer = ContentPacker()
        var batch = PayloadBatch()
        let unit = packet(isStart: true, &random) + Array((0..<6).map { _ in packet(&random) }.joined())
        unit.prefix(5 * 188).withUnsafeBytes { packer.append($0, at: .zero, into: &batch) }
        packer.limit(to: 600)
        (unit.suffix(2 * 188) + unit).withUnsafeBytes { packer.append($0, at: .zero, into: &batch) }
        packer.finish(into: &batch)
        #expect(batch.payloads.map { $0.count / 188 } == [5, 2, 3, 3, 1])
        packer.limit(to: nil)
        #expect(packer.payloadBytes == 1_316)
    }
}
