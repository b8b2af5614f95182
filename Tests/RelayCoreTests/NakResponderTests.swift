import ReflectorModel
import RelayWire
import Testing

@testable import RelayCore

private let start = MonotonicInstant.zero + .seconds(100)

@Suite("NAK responder")
struct NakResponderTests {
    private func nak(_ tryNumber: UInt8) -> Nak {
        Nak(subscription: 1, tryNumber: tryNumber, isLast: false, runs: [])
    }

    @Test("Each try of a number is answered once")
    func once() {
        var responder = NakResponder(now: start)
        responder.refill(isFirst: true, at: start)
        let later = start + .milliseconds(50)
        #expect(responder.admit(7, of: nak(1), roundTrip: .milliseconds(10), at: start) == .serve)
        #expect(responder.admit(7, of: nak(1), roundTrip: .milliseconds(10), at: later) == .repeated)
        #expect(responder.admit(7, of: nak(2), roundTrip: .milliseconds(10), at: later) == .serve)
        #expect(responder.admit(8, of: nak(1), roundTrip: .milliseconds(10), at: later) == .serve)
    }

    @Test("A NAK that crosses a repair is not answered")
    func crossing() {
        var responder = NakResponder(now: start)
        responder.refill(isFirst: true, at: start)
        #expect(responder.admit(1, of: nak(1), roundTrip: .zero, at: start) == .serve)
        responder.noteRepair(2, of: 1, at: start)
        #expect(
            responder.admit(2, of: nak(1), roundTrip: .milliseconds(40), at: start + .milliseconds(20)) == .repeated)
        #expect(responder.admit(2, of: nak(1), roundTrip: .milliseconds(40), at: start + .milliseconds(60)) == .serve)
    }

    @Test("At first the bucket holds two seconds at a quarter of the live rate, but at least at 100 packets a second")
    func bucket() {
        var responder = NakResponder(now: start)
        #expect(responder.needsRate(at: start))
        responder.note(liveRate: 40, at: start)
        #expect(!responder.needsRate(at: start + .milliseconds(99)))
        #expect(responder.needsRate(at: start + .milliseconds(100)))
        responder.refill(isFirst: true, at: start)
        let served = (1...300 as ClosedRange<UInt64>).count {
            responder.admit($0, of: nak(1), roundTrip: .zero, at: start) == .serve
        }
        #expect(served == 200)
        responder.refill(isFirst: false, at: start + .milliseconds(100))
        let more = (1_001...1_100 as ClosedRange<UInt64>).count {
            responder.admit($0, of: nak(1), roundTrip: .zero, at: start) == .serve
        }
        #expect(more == 10)
    }
}
