import RelayWire
import Testing

@testable import RelayCore

@Suite("Session of a link")
struct LinkSessionTests {
    private let keys = LinkKeys(childToParent: MACKey(index: 1), parentToChild: MACKey(index: 2))

    @Test("Until the handshake is complete there are no keys and no peer token")
    func unopened() {
        let session = LinkSession(ownToken: 7)
        #expect(session.ownToken == 7)
        #expect(session.peerToken == 0)
        #expect(session.keys == nil)
    }

    @Test("The handshake sets the peer's token and the keys once; closing returns the keys once")
    func openAndClose() {
        var session = LinkSession(ownToken: 7)
        session.open(peerToken: 9, keys: keys)
        #expect(session.peerToken == 9)
        #expect(session.keys == keys)
        #expect(did(&session) { $0.close() } == keys)
        #expect(session.keys == nil)
        #expect(did(&session) { $0.close() } == nil)
    }

    @Test("No counter is used twice, and none is 0")
    func counters() {
        var session = LinkSession(ownToken: 7)
        let counters = (0..<100).map { _ in did(&session) { $0.takeCounter() } }
        #expect(counters == Array(1...100))
    }

    @Test("A control message is accepted once, in any order within the window of 64")
    func replay() {
        var session = LinkSession(ownToken: 7)
        for counter: UInt64 in [1, 3, 2, 70] { #expect(did(&session) { $0.accepts(counter) }) }
        for counter: UInt64 in [0, 1, 2, 3, 6, 70] { #expect(!did(&session) { $0.accepts(counter) }) }
        #expect(did(&session) { $0.accepts(7) })
    }

    @Test("Sending does not move the replay window")
    func directions() {
        var session = LinkSession(ownToken: 7)
        for _ in 0..<100 { _ = session.takeCounter() }
        #expect(did(&session) { $0.accepts(1) })
    }

    @Test("A counter at the end of its range neither traps nor closes the window")
    func extremes() {
        var session = LinkSession(ownToken: 7)
        #expect(did(&session) { $0.accepts(.max) })
        #expect(!did(&session) { $0.accepts(.max) })
        #expect(did(&session) { $0.accepts(.max - 1) })
    }
}
