import ReflectorModel
import Testing

@testable import RelayService

@Suite("Packing an encoder's bytes")
struct PacketPackerTests {
    /// Feeds `input` in pieces of random size at random intervals, like the session.
    private func pack(_ input: [UInt8], payloadBytes: Int, seed: UInt64) -> [[UInt8]] {
        var random = SeededGenerator(seed: seed)
        var packer = PacketPacker(payloadBytes: payloadBytes, flushAfter: .milliseconds(10))
        var now = MonotonicInstant.zero
        var payloads: [[UInt8]] = []
        var offset = 0
        while offset < input.count {
            let count = min(Int.random(in: 1...5_000, using: &random), input.count - offset)
            var batch = PayloadBatch()
            input[offset..<offset + count].withUnsafeBytes { packer.append($0, at: now, into: &batch) }
            offset += count
            now = now + .milliseconds(Int64.random(in: 0...12, using: &random))
            if let due = packer.nextTimeout, due <= now { packer.handleTimeout(at: now, into: &batch) }
            payloads += batch.payloads
        }
        var batch = PayloadBatch()
        packer.finish(into: &batch)
        return payloads + batch.payloads
    }

    @Test("The payloads in order are the input, for any length and timing", arguments: 0..<200)
    func exact(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let payloadBytes = [188, 1_128, 1_316].randomElement(using: &random) ?? 188
        let length = Int.random(in: 0...20_000, using: &random)
        let input = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
        let payloads = pack(input, payloadBytes: payloadBytes, seed: seed &+ 1)
        #expect(Array(payloads.joined()) == input)
        #expect(payloads.dropLast().allSatisfy { $0.count % 188 == 0 && !$0.isEmpty && $0.count <= payloadBytes })
        #expect((payloads.last?.count ?? 0) <= payloadBytes)
    }

    @Test("Whole TS packets leave 10 ms after the first of them; a part of one stays")
    func flush() {
        var packer = PacketPacker()
        var batch = PayloadBatch()
        [UInt8](repeating: 1, count: 100).withUnsafeBytes { packer.append($0, at: .zero, into: &batch) }
        #expect(packer.nextTimeout == nil)
        let later = MonotonicInstant.zero + .milliseconds(50)
        [UInt8](repeating: 2, count: 300).withUnsafeBytes { packer.append($0, at: later, into: &batch) }
        #expect(packer.nextTimeout == later + .milliseconds(10))
        packer.handleTimeout(at: later + .milliseconds(9), into: &batch)
        #expect(batch.isEmpty)
        packer.handleTimeout(at: later + .milliseconds(10), into: &batch)
        #expect(batch.payloads.map(\.count) == [376])
        #expect(packer.nextTimeout == nil)
        packer.finish(into: &batch)
        #expect(batch.payloads.map(\.count) == [376, 24])
    }

    @Test("A payload size is rounded down to whole TS packets")
    func payloadSize() {
        #expect(PacketPacker(payloadBytes: 1_400).payloadBytes == 1_316)
        #expect(PacketPacker(payloadBytes: 10).payloadBytes == 188)
    }
}

@Suite("Limits of ingest")
struct IngestLimitTests {
    @Test("In the long run, a token bucket passes its rate and no more")
    func bucket() {
        var bucket = TokenBucket(bitsPerSecond: 8_000_000, burstBytes: 10_000, at: .zero)
        var now = MonotonicInstant.zero
        var taken = 0
        while now < MonotonicInstant.zero + .seconds(10) {
            let wait = bucket.wait(at: now)
            if wait == .zero {
                bucket.take(4_000)
                taken += 4_000
            } else {
                now = now + wait
            }
        }
        #expect((9_990_000...10_020_000).contains(taken))
    }

    @Test("After a pause, only the burst passes at once")
    func burst() {
        var bucket = TokenBucket(bitsPerSecond: 8_000, burstBytes: 1_000, at: .zero)
        let now = MonotonicInstant.zero + .seconds(3_600)
        #expect(bucket.wait(at: now) == .zero)
        bucket.take(2_000)
        #expect((.milliseconds(1_000)...TimeSpan.milliseconds(1_001)).contains(bucket.wait(at: now)))
    }

    @Test("An address range contains the addresses of its prefix")
    func ranges() throws {
        let range = try #require(CIDRBlock("10.1.0.0/16"))
        #expect(try range.contains(#require(IPAddress("10.1.255.255"))))
        #expect(try !range.contains(#require(IPAddress("10.2.0.0"))))
        let six = try #require(CIDRBlock("2001:db8::/33"))
        #expect(try six.contains(#require(IPAddress("2001:db8:7fff::1"))))
        #expect(try !six.contains(#require(IPAddress("2001:db8:8000::1"))))
        #expect(try #require(CIDRBlock("::/0")).contains(#require(IPAddress("1.2.3.4"))))
        #expect(try #require(CIDRBlock("192.0.2.1")).description == "192.0.2.1/32")
        #expect(try CIDRBlock.loopback[0].contains(#require(IPAddress("127.47.0.9"))))
        for bad in ["10.1.0.1/16", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "x/8", "", "::/129"] {
            #expect(CIDRBlock(bad) == nil, "\(bad)")
        }
    }
}
