import RelayWire
import Testing

@testable import RelayCore

@Suite("Session of a link")
struct LinkSessionTests {
    private let keys = LinkKeys(
        childToParent: MACKey(index: 1), parentToChild: MACKey(index: 2), wrapping: WrapKey(index: 3))

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
        #expect(did(&session) { $0.close() }.map(\.keys) == [keys])
        #expect(session.keys == nil)
        #expect(did(&session) { $0.close() }.map(\.keys) == [nil])
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
        for counter: UInt64 in [1, 3, 2, 70] { #expect(did(&session) { $0.accepts(counter, of: 7) }) }
        for counter: UInt64 in [0, 1, 2, 3, 6, 70] { #expect(!did(&session) { $0.accepts(counter, of: 7) }) }
        #expect(did(&session) { $0.accepts(7, of: 7) })
    }

    @Test("Sending does not move the replay window")
    func directions() {
        var session = LinkSession(ownToken: 7)
        for _ in 0..<100 { _ = session.takeCounter() }
        #expect(did(&session) { $0.accepts(1, of: 7) })
    }

    @Test("A counter at the end of its range neither traps nor closes the window")
    func extremes() {
        var session = LinkSession(ownToken: 7)
        #expect(did(&session) { $0.accepts(.max, of: 7) })
        #expect(!did(&session) { $0.accepts(.max, of: 7) })
        #expect(did(&session) { $0.accepts(.max - 1, of: 7) })
    }

    private let newKeys = LinkKeys(
        childToParent: MACKey(index: 4), parentToChild: MACKey(index: 5), wrapping: WrapKey(index: 6))

    @Test("The child uses new keys at once, and still accepts messages under the old ones until they are dropped")
    func renewed() {
        var session = LinkSession(ownToken: 7)
        session.open(peerToken: 9, keys: keys)
        _ = session.takeCounter()
        #expect(did(&session) { $0.renew(ownToken: 8, peerToken: 10, keys: newKeys) } == nil)
        #expect(session.ownToken == 8 && session.peerToken == 10 && session.keys == newKeys)
        #expect(did(&session) { $0.takeCounter() } == 1)
        #expect(session.keys(of: 7) == keys && session.keys(of: 8) == newKeys && session.keys(of: 9) == nil)
        #expect(did(&session) { $0.accepts(1, of: 7) })
        #expect(did(&session) { $0.accepts(1, of: 8) })
        #expect(!did(&session) { $0.accepts(1, of: 7) })
        #expect(session.wrapKeys == [newKeys.wrapping, keys.wrapping])
        let dropped = did(&session) { $0.dropOther() }
        #expect(dropped?.ownToken == 7 && dropped?.keys == keys)
        #expect(session.keys(of: 7) == nil)
    }

    @Test("The parent uses offered keys only after the child has used them")
    func offered() {
        var session = LinkSession(ownToken: 7)
        session.open(peerToken: 9, keys: keys)
        #expect(did(&session) { $0.offer(ownToken: 8, peerToken: 10, keys: newKeys) } == nil)
        #expect(session.keys == keys && session.peerToken == 9)
        #expect(!did(&session) { $0.confirm(7) })
        #expect(session.keys == keys)
        #expect(did(&session) { $0.confirm(8) })
        #expect(session.keys == newKeys && session.peerToken == 10)
        #expect(!did(&session) { $0.confirm(8) })
        #expect(session.keys(of: 7) == keys)
    }

    @Test("A second offer replaces the first; closing returns all keys")
    func offeredTwice() {
        var session = LinkSession(ownToken: 7)
        session.open(peerToken: 9, keys: keys)
        _ = session.offer(ownToken: 8, peerToken: 10, keys: newKeys)
        #expect(did(&session) { $0.offer(ownToken: 11, peerToken: 12, keys: keys) }?.ownToken == 8)
        #expect(did(&session) { $0.close() }.map(\.ownToken) == [7, 11])
    }
}
