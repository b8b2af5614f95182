import ReflectorModel
import RelayWire
import Testing

@testable import RelayCore

@Suite("Queues of a child")
struct ChildQueuesTests {
    private func packet(_ sequence: UInt64, isRetransmit: Bool = false) throws -> ChildQueues.Packet {
        let tag = IncarnationTag(
            stream: try #require(StreamName("live/news")), source: NodeID(name: "ep"),
            incarnation: Incarnation(high: 1, low: 2))
        return ChildQueues.Packet(
            slot: Int32(sequence), sequence: SequenceNumber(sequence), tag: tag, isRetransmit: isRetransmit)
    }

    private func drained(_ queues: inout ChildQueues, _ kind: ChildQueues.Kind, most: Int = .max) -> [UInt64] {
        var numbers: [UInt64] = []
        _ = queues.drain(kind, most: most) { packet in
            numbers.append(packet.sequence.rawValue)
            return true
        }
        return numbers
    }

    @Test("A full live queue drops its oldest packet")
    func full() throws {
        var queues = ChildQueues()
        let packets = try (1...3).map { try packet($0) }
        #expect(packets.map { packet in did(&queues) { $0.appendLive(packet, countMax: 2) } } == [true, true, false])
        #expect(drained(&queues, .live) == [2, 3])
    }

    @Test("A drain stops when the batch is full, and the next one continues there")
    func stops() throws {
        var queues = ChildQueues()
        for sequence in 1...4 as ClosedRange<UInt64> { queues.appendRepair(try packet(sequence)) }
        #expect(did(&queues) { $0.drain(.repair, most: 3) { $0.sequence.rawValue < 3 } } == 2)
        #expect(drained(&queues, .repair, most: 1) == [3])
        #expect(drained(&queues, .repair) == [4])
    }

    @Test("A backlog that becomes live goes ahead of the live packets that follow")
    func change() throws {
        var queues = ChildQueues()
        queues.appendRepair(try packet(1))
        queues.becomeLive(at: instant(0))
        _ = queues.appendLive(try packet(2), countMax: 10)
        #expect(queues.count(.repair) == 0)
        #expect(drained(&queues, .live) == [1, 2])
    }

    @Test("Each interval allows one burst, and the link stays listed while packets wait")
    func burst() throws {
        var queues = ChildQueues()
        #expect(did(&queues) { $0.takeListing() })
        #expect(!did(&queues) { $0.takeListing() })
        queues.appendRepair(try packet(1))
        #expect(did(&queues) { $0.burstLeft(of: 8, interval: .milliseconds(1), at: instant(1_000)) } == 8)
        queues.spendBurst(5)
        #expect(did(&queues) { $0.burstLeft(of: 8, interval: .milliseconds(1), at: instant(1_000)) } == 3)
        #expect(did(&queues) { $0.burstLeft(of: 8, interval: .milliseconds(1), at: instant(1_001)) } == 8)
        // A link of many backlogs could never catch up otherwise.
        queues.noteBacklogs(200)
        #expect(did(&queues) { $0.burstLeft(of: 8, interval: .milliseconds(1), at: instant(1_002)) } == 208)
        #expect(did(&queues) { $0.finishFlush() })
        #expect(drained(&queues, .repair) == [1])
        #expect(!did(&queues) { $0.finishFlush() })
        #expect(did(&queues) { $0.takeListing() })
    }
}
