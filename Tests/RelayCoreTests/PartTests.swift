import ReflectorModel
import RelayWire
import Testing

@testable import RelayCore

private let start = MonotonicInstant.zero + .seconds(100)

@Suite("Admission")
struct AdmissionTests {
    private func load(_ rate: Double?, copies: Int, extra: Int = 0) -> Admission.Load {
        Admission.Load(rate: rate, copies: copies, extraCopies: extra)
    }

    @Test("Without a declared capacity everything is admitted, and streams are not looked at")
    func unlimited() {
        var admission = Admission(bitsPerSecond: 0)
        var asked = 0
        let grant = admission.admit(
            isExtra: true, rate: { 1e12 },
            loads: {
                asked += 1
                return []
            }, at: start)
        #expect(grant != nil)
        #expect(asked == 0)
        #expect(admission.takeExcess(loads: { [] }, at: start) == nil)
    }

    @Test("A first copy fits up to 95 % of the capacity, an extra one up to 80 %")
    func shares() {
        var admission = Admission(bitsPerSecond: 100)
        let loads = [load(10, copies: 7)]
        #expect(admission.admit(isExtra: true, rate: { 10 }, loads: { loads }, at: start) != nil)
        #expect(admission.admit(isExtra: true, rate: { 10 }, loads: { loads }, at: start) == nil)
        // Extra paths end if they must, so they take no room from a first copy.
        #expect(admission.admit(isExtra: false, rate: { 10 }, loads: { loads }, at: start) != nil)
        #expect(admission.admit(isExtra: false, rate: { 15 }, loads: { loads }, at: start) != nil)
        #expect(admission.admit(isExtra: false, rate: { 10 }, loads: { loads }, at: start) == nil)
    }

    @Test("What is taken back makes room, unless it was counted since")
    func takeBack() throws {
        var admission = Admission(bitsPerSecond: 100)
        let first = admission.admit(isExtra: false, rate: { 90 }, loads: { [] }, at: start)
        let grant = try #require(first)
        #expect(admission.admit(isExtra: false, rate: { 90 }, loads: { [] }, at: start) == nil)
        admission.takeBack(grant)
        #expect(admission.admit(isExtra: false, rate: { 90 }, loads: { [] }, at: start) != nil)
        let later = start + .milliseconds(100)
        let loads = [load(90, copies: 1)]
        #expect(admission.admit(isExtra: false, rate: { 90 }, loads: { loads }, at: later) == nil)
        admission.takeBack(grant)
        #expect(admission.admit(isExtra: false, rate: { 90 }, loads: { loads }, at: later) == nil)
    }

    @Test("A stream of unknown rate counts as the others on average")
    func unknownRate() {
        var admission = Admission(bitsPerSecond: 100)
        let loads = [load(10, copies: 2), load(30, copies: 2), load(nil, copies: 2)]
        // 80 known and 2 × 20 unknown: too much already.
        #expect(admission.admit(isExtra: false, rate: { nil }, loads: { loads }, at: start) == nil)
        #expect(admission.averageCopy == 20)
    }

    @Test("Extra paths are asked to end over 90 %, down to 80 %, at most each 100 ms")
    func excess() throws {
        var admission = Admission(bitsPerSecond: 100)
        let loads = [load(10, copies: 10, extra: 4)]
        let first = admission.takeExcess(loads: { loads }, at: start)
        let excess = try #require(first)
        #expect(abs(excess - 20) < 0.001)
        #expect(admission.takeExcess(loads: { loads }, at: start + .milliseconds(50)) == nil)
        #expect(admission.takeExcess(loads: { loads }, at: start + .milliseconds(100)) != nil)
    }
}

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

    @Test("The bucket holds two seconds of a quarter of the live rate at first, and 100 packets a second at least")
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

@Suite("Announcer")
struct AnnouncerPartTests {
    private func entries(_ count: Int) throws -> [Announce.Entry] {
        try (0..<count).map { number in
            Announce.Entry(
                stream: try #require(StreamName("live/s\(number)")), portset: PortsetID(1), keyPhase: 0,
                incarnation: Incarnation(high: 1, low: UInt64(number)))
        }
    }

    @Test("A change is announced at once, and one soon after it a moment later")
    func spacing() {
        var announcer = Announcer()
        #expect(announcer.takeDue(at: start) == .nothing)
        announcer.noteChange()
        #expect(announcer.takeDue(at: start) == .now)
        #expect(announcer.takeDue(at: start) == .nothing)
        announcer.noteSent(at: start)
        announcer.noteChange()
        #expect(announcer.takeDue(at: start + .milliseconds(10)) == .later(start + .milliseconds(50)))
        #expect(announcer.takeDue(at: start + .milliseconds(50)) == .now)
    }

    @Test("Pages hold the whole list in its order; an empty list is one empty page")
    func pages() throws {
        let announcer = Announcer()
        let entries = try entries(500)
        let pages = announcer.pages(of: entries)
        #expect(pages.count > 1)
        #expect(pages.flatMap(\.entries).map(\.stream) == entries.map(\.stream))
        #expect(pages.map(\.page) == (0..<UInt16(pages.count)).map { $0 })
        #expect(pages.allSatisfy { Int($0.pages) == pages.count && $0.version == 1 })
        #expect(announcer.pages(of: []).map(\.entries.count) == [0])
    }

    @Test("The digest is that of the list, made once a version, and changes with the list")
    func digest() throws {
        var announcer = Announcer()
        let entries = try entries(3)
        var asked = 0
        func heartbeat(_ list: [Announce.Entry]) -> Heartbeat {
            announcer.heartbeat(
                source: NodeID(name: "ep"),
                entries: {
                    asked += 1
                    return list
                }, at: start)
        }
        let first = heartbeat(entries)
        #expect(heartbeat(entries).digest == first.digest)
        #expect(asked == 1)
        announcer.noteChange()
        let second = heartbeat(Array(entries.dropLast()))
        #expect(second.digest != first.digest)
        #expect(second.version == first.version + 1)
        var list = AnnouncementList()
        for page in announcer.pages(of: Array(entries.dropLast())) {
            _ = list.take(page, source: NodeID(name: "ep"), room: 10, at: start)
        }
        #expect(list.digest == second.digest)
    }

    @Test("A set reflector is unlisted only if the zone names others")
    func targets() {
        var announcer = Announcer()
        #expect(!announcer.isUnlisted(Bench.endpoint(1)))
        let host = ResolvedHost(name: "set-0", endpoint: Bench.endpoint(2), priority: 0, weight: 1)
        announcer.follow([HostAddresses(host: host, others: [Bench.endpoint(3)])])
        #expect(announcer.isUnlisted(Bench.endpoint(1)))
        #expect(!announcer.isUnlisted(Bench.endpoint(2)))
        #expect(!announcer.isUnlisted(Bench.endpoint(3)))
    }
}
