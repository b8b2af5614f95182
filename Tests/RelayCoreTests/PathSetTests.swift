import ReflectorModel
import RelayWire
import Testing

@testable import RelayCore

@Suite("Path set")
struct PathSetTests {
    private func endpoint(_ number: UInt32) -> Endpoint {
        Endpoint(address: IPAddress(v4: 0x0a00_0000 + number), port: 4900)
    }

    private func link(_ number: Int) -> ParentLink {
        let endpoint = endpoint(UInt32(number))
        return ParentLink(
            slot: number, endpoint: endpoint, remote: endpoint, others: [], peerName: "set-\(number)",
            isForAnnouncing: false, opening: opening(to: "set-\(number)"), childToken: UInt64(number) + 1,
            now: instant(0))
    }

    /// A path on a link of its own.
    private func path(_ number: Int, bit: UInt8 = 1, _ state: StreamPath.State = .joining) -> StreamPath {
        let link = link(number)
        let candidate = ParentCandidate(name: link.peerName, endpoint: link.endpoint, rank: 1, cause: "n1")
        let path = StreamPath(
            link: link, candidate: candidate, subscription: UInt32(number), bit: bit, isExtra: false, start: .live,
            now: instant(0))
        switch state {
        case .joining: break
        case .live: path.becomeLive()
        case .leaving: path.beginLeaving(at: instant(0))
        }
        return path
    }

    private func set(_ paths: StreamPath...) -> PathSet {
        var set = PathSet()
        for path in paths { set.add(path) }
        return set
    }

    @Test("Paths are in order of joining, and found by link and by candidate")
    func finding() {
        let (first, second) = (path(1), path(2))
        var set = set(first, second)
        #expect(set.all.map(\.subscription) == [1, 2])
        #expect(set.path(on: second.link) === second)
        #expect(set.path(by: first.candidate) === first)
        set.remove(first)
        #expect(set.path(on: first.link) == nil)
        #expect(set.path(by: first.candidate) == nil)
        #expect(set.all.map(\.subscription) == [2])
    }

    @Test("No stream flows while every path is joining; a path that is being left still carries it")
    func waiting() {
        #expect(PathSet().isEmpty)
        #expect(PathSet().isWaiting)
        #expect(set(path(1), path(2)).isWaiting)
        #expect(!set(path(1), path(2, bit: 2, .live)).isWaiting)
        #expect(!set(path(1), path(2, .leaving)).isWaiting)
        #expect(set(path(1), path(2, .live)).hasLive)
        #expect(!set(path(1), path(2, .leaving)).hasLive)
    }

    @Test("A path that is being left is not settled")
    func settled() {
        let (leaving, joining, live) = (path(1, .leaving), path(2), path(3, .live))
        let all = set(leaving, joining, live)
        #expect(all.firstSettled?.subscription == 2 && all.settledCount == 2)
        #expect(all.hasSettled(besides: live))
        #expect(!set(leaving, live).hasSettled(besides: live))
        #expect(set(leaving, live).hasSettled(besides: leaving))
    }

    @Test("The free bit is the lowest that no path has")
    func freeBit() {
        #expect(PathSet().freeBit == 1)
        #expect(set(path(1, bit: 1)).freeBit == 2)
        #expect(set(path(1, bit: 1), path(2, bit: 2), path(3, bit: 4)).freeBit == 8)
        #expect(set(path(1, bit: 1), path(2, bit: 4)).freeBit == 2)
        #expect(set(path(1, bit: 2), path(2, bit: 4)).freeBit == 1)
    }

    @Test("When a link dies, its path is removed; if only paths being left remain, the first of them stays")
    func deathOfLink() {
        let (old, older, new) = (path(1, .leaving), path(2, .leaving), path(3))
        var all = set(old, older, new)
        all.removeAll(on: new.link)
        #expect(all.all.map(\.subscription) == [1, 2])
        #expect(old.state == .live)
        #expect(older.state == .leaving)
    }

    @Test("When a link dies while another path is settled, a path that is being left stays in that state")
    func deathBesideSettled() {
        let (leaving, live, dead) = (path(1, .leaving), path(2, .live), path(3, .live))
        var all = set(leaving, live, dead)
        all.removeAll(on: dead.link)
        #expect(leaving.state == .leaving)
        #expect(live.state == .live)
    }

    @Test("After the last path is removed, the set is empty")
    func lastPath() {
        let only = path(1, .live)
        var all = set(only)
        all.removeAll(on: only.link)
        #expect(all.isEmpty)
        #expect(all.freeBit == 1)
    }

    @Test("When numbers start over, only the path's position is forgotten")
    func place() {
        let path = path(1, .live)
        path.notePlace(70, linkNumber: 7)
        path.notePromise(below: 80)
        path.forgetPlace()
        #expect(path.lastSequence == 0)
        #expect(path.promised == 0)
        #expect(path.state == .live)
    }
}
