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
        #expect(
            source.nextTimeout(fillerInterval: .seconds(1), silenceMax: .seconds(2), at: instant(300)) == instant(1_200)
        )
    }

    @Test("A stream is withdrawn if its encoder stays away, but not if it returns")
    func withdrawal() {
        var source = StreamSource(at: instant(0))
        #expect(!source.isWithdrawn(at: instant(60_000)))
        source.encoderLeft(until: instant(500))
        #expect(
            source.nextTimeout(fillerInterval: .seconds(1), silenceMax: .seconds(2), at: instant(0)) == instant(500))
        #expect(!source.isWithdrawn(at: instant(499)))
        #expect(source.isWithdrawn(at: instant(500)))
        source.encoderReturned(at: instant(499))
        #expect(!source.isWithdrawn(at: instant(500)))
    }

    private func takesChange(_ source: inout StreamSource, at milliseconds: Int64) -> Bool {
        source.takeChange(silenceMax: .seconds(2), at: instant(milliseconds))
    }

    @Test(
        "A stream lapses when its encoder leaves, or sends nothing for a while; each change is announced once")
    func supply() {
        var source = StreamSource(at: instant(0))
        let max = TimeSpan.seconds(2)
        #expect(source.supply(silenceMax: max, at: instant(1_999)) == .live)
        #expect(!takesChange(&source, at: 1_999))
        #expect(source.nextTimeout(fillerInterval: .seconds(5), silenceMax: max, at: instant(1_000)) == instant(2_000))
        #expect(takesChange(&source, at: 2_000))
        #expect(!takesChange(&source, at: 2_100))
        source.notePayload(at: instant(3_000))
        #expect(takesChange(&source, at: 3_000))
        #expect(source.announced == .live)
        source.encoderLeft(until: instant(13_000))
        #expect(takesChange(&source, at: 3_001))
        #expect(source.announced == .lapsed)
        source.encoderReturned(at: instant(4_000))
        #expect(takesChange(&source, at: 4_000))
    }
}
