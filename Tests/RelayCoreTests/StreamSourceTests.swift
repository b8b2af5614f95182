import ReflectorModel
import Testing

@testable import RelayCore

@Suite("An entrypoint's part of a stream")
struct StreamSourceTests {
    @Test("Numbers begin with 1 and have no gaps")
    func numbers() {
        var source = StreamSource(at: instant(0))
        #expect(source.nextSequence == 1)
        source.noteMade(at: instant(5))
        #expect(source.nextSequence == 2)
        #expect(source.lastPacket == instant(5))
    }

    @Test("A filler is due an interval after the last packet")
    func filler() {
        var source = StreamSource(at: instant(0))
        source.noteMade(at: instant(200))
        #expect(!source.needsFiller(every: .seconds(1), at: instant(1_199)))
        #expect(source.needsFiller(every: .seconds(1), at: instant(1_200)))
        #expect(source.nextTimeout(fillerInterval: .seconds(1), at: instant(300)) == instant(1_200))
    }

    @Test("A stream is withdrawn if its encoder stays away, but not if it returns")
    func withdrawal() {
        var source = StreamSource(at: instant(0))
        #expect(!source.isWithdrawn(at: instant(60_000)))
        source.encoderLeft(until: instant(500))
        #expect(source.nextTimeout(fillerInterval: .seconds(1), at: instant(0)) == instant(500))
        #expect(!source.isWithdrawn(at: instant(499)))
        #expect(source.isWithdrawn(at: instant(500)))
        source.encoderReturned()
        #expect(!source.isWithdrawn(at: instant(500)))
    }
}
