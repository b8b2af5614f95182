import ReflectorModel
import RelayWire
import Testing

@testable import RelayCore

@Suite("Merging the feeds of a hot stream")
struct HotStreamTests {
    private func hash(_ payload: UInt64) -> UInt64 { FixedHash.mix(payload) }
    private let start = instant(0)

    private func feed() -> TwinFeed { TwinFeed(tag: IncarnationTag(2), key: SealKey(index: 0), at: start) }

    // MARK: Payloads

    @Test("A payload is found by its number, and its number by the payload, for 4,096 packets")
    func payloads() {
        let ring = PayloadRing()
        for number in UInt64(1)...10_000 { #expect(ring.note(number, hash(number), of: 1)) }
        #expect(ring.packet(5_904) == nil)
        #expect(ring.packet(5_905)?.hash == hash(5_905))
        #expect(ring.number(of: hash(5_904)) == nil)
        let found = (UInt64(5_905)...10_000).count { ring.number(of: hash($0)) == $0 }
        // The index keeps only the newest of the payloads that share a place.
        #expect(found > 3_000)
        #expect((UInt64(5_905)...10_000).allSatisfy { [nil, $0].contains(ring.number(of: hash($0))) })
        #expect(ring.number(of: hash(10_000), notOf: 1) == nil)
        ring.rename(1, to: HotStream.gone)
        #expect(ring.number(of: hash(10_000), notOf: 1) == 10_000)
    }

    @Test("A payload that occurs twice has no number, until one of the two is forgotten and it comes again")
    func repeated() {
        let ring = PayloadRing()
        ring.note(1, 7, of: 0)
        #expect(ring.isDistinct(1))
        ring.note(2, 7, of: 0)
        #expect(ring.number(of: 7) == nil)
        #expect(!ring.isDistinct(1) && !ring.isDistinct(2))
        for number in UInt64(3)...5_000 { ring.note(number, hash(number), of: 0) }
        ring.note(5_001, 7, of: 0)
        #expect(ring.number(of: 7) == 5_001)
    }

    @Test("An older packet takes no newer one's place, and a number as high as can be does no harm")
    func oldAndHigh() {
        let ring = PayloadRing()
        ring.note(WireLimits.sequenceMax, 1, of: 0)
        #expect(!ring.note(WireLimits.sequenceMax - PayloadRing.span, 2, of: 0))
        #expect(!ring.note(WireLimits.sequenceMax, 3, of: 0))
        #expect(ring.note(WireLimits.sequenceMax, 3, of: 0, replaces: true))
        #expect(ring.packet(WireLimits.sequenceMax)?.hash == 3)
        #expect(ring.packet(0) == nil)
    }

    // MARK: Numbers

    @Test("No number is sealed twice, in whatever order they come")
    func sealedNumbers() {
        var sealed = SealedNumbers()
        var random = SeededGenerator(seed: 1)
        var admitted: Set<UInt64> = []
        var highest: UInt64 = 1
        for _ in 0..<200_000 {
            highest += UInt64.random(in: 0..<4, using: &random)
            let number = highest - min(UInt64.random(in: 0..<80_000, using: &random), highest - 1)
            if sealed.admit(number) { #expect(admitted.insert(number).inserted) }
        }
        #expect(admitted.count > 50_000)
        let isNew = sealed.admit(WireLimits.sequenceMax)
        let again = sealed.admit(WireLimits.sequenceMax)
        let old = sealed.admit(highest + 1)
        #expect(isNew && !again && !old)
    }

    @Test(
        "A feed is merged after 16 payloads in a row with one shift, whichever side is ahead",
        arguments: [-300, 0, 300])
    func learns(lead: Int64) {
        let own = PayloadRing()
        var feed = feed()
        var mergedAt: Int64?
        // Own number n has payload n; the feed's number is 1,000 higher.
        for step in Int64(400)..<1_200 where mergedAt == nil {
            own.note(UInt64(step), hash(UInt64(step)), of: HotStream.own)
            var isMerged = feed.noteOwn(UInt64(step), hash(UInt64(step)))
            let other = UInt64(step + lead)
            isMerged = feed.note(other + 1_000, hash(other), against: own, mark: 2) || isMerged
            if isMerged { mergedAt = step }
        }
        #expect(feed.isMerged)
        #expect(feed.shift == -1_000)
        #expect((mergedAt ?? 0) < 400 + 340)
        #expect(feed.ownNumber(1_500) == 500 && feed.feedNumber(500) == 1_500)
        #expect(feed.ownNumber(1_000) == nil && feed.ownNumber(.max) == nil)
        #expect(feed.feedNumber(WireLimits.sequenceMax) == nil)
    }

    @Test("One match with another shift begins the count again")
    func contradiction() {
        let own = PayloadRing()
        var feed = feed()
        for number in UInt64(1)...40 { own.note(number, hash(number), of: HotStream.own) }
        func note(_ number: UInt64, _ payload: UInt64) -> Bool {
            feed.note(number, hash(payload), against: own, mark: 2)
        }
        #expect((UInt64(1)...15).allSatisfy { !note($0, $0) })
        // A payload is missing in the feed: from now on its numbers are lower by one.
        #expect((UInt64(16)...30).allSatisfy { !note($0, $0 + 1) })
        #expect(note(31, 32))
        #expect(feed.shift == 1)
    }

    @Test("A minute without a mismatch forgives the ones before: a feed that has one now and then is not different")
    func forgiven() {
        let own = PayloadRing()
        var feed = feed()
        var number: UInt64 = 0
        for minute in Int64(0)..<10 {
            var needed = 0
            while !feed.isMerged {
                (number, needed) = (number + 1, needed + 1)
                own.note(number, hash(number), of: 0)
                _ = feed.note(number, hash(number), against: own, mark: 1)
            }
            #expect(needed <= 32, "\(minute)")
            feed.noteMismatch(at: instant(minute * 60_000))
            #expect(!feed.isDifferent(at: instant(minute * 60_000)))
        }
    }

    @Test("After each mismatch a feed must prove more, and with the fourth it is different")
    func mismatches() {
        let own = PayloadRing()
        var feed = feed()
        var needed: [Int] = []
        var number: UInt64 = 0
        for _ in 0..<4 {
            var count = 0
            while !feed.isMerged {
                number += 1
                count += 1
                own.note(number, hash(number), of: HotStream.own)
                _ = feed.note(number, hash(number), against: own, mark: 2)
            }
            needed.append(count)
            feed.noteMismatch(at: start)
        }
        #expect(needed[0] == 16 && needed[1] >= 32 && needed[2] >= 64 && needed[3] >= 128)
        #expect(feed.isDifferent(at: start))
    }

    @Test("A feed is different if it finds no match in 5 s although both flow, but not if one of them is silent")
    func different() {
        let own = PayloadRing()
        var (feed, silent) = (feed(), feed())
        for number in UInt64(1)...64 {
            own.note(number, hash(number), of: HotStream.own)
            _ = feed.noteOwn(number, hash(number))
            _ = silent.noteOwn(number, hash(number))
            _ = feed.note(number, ~hash(number), against: own, mark: 2)
        }
        #expect(!feed.isDifferent(at: instant(4_999)))
        #expect(feed.isDifferent(at: instant(5_000)))
        #expect(!silent.isDifferent(at: instant(60_000)))
    }

    // MARK: The stream

    @Test("Payloads of one number are compared across feeds; the stream's own replaces another one's")
    func compares() {
        let hot = HotStream()
        #expect(hot.compare(1, 10, of: HotStream.own) == .unknown)
        #expect(hot.compare(1, 10, of: 2) == .agrees)
        #expect(hot.compare(1, 11, of: 2) == .differs(from: HotStream.own))
        #expect(hot.compare(1, 10, of: HotStream.own) == .repeated)
        #expect(hot.compare(2, 20, of: 2) == .unknown)
        #expect(hot.compare(2, 21, of: HotStream.own) == .differs(from: 2))
        #expect(hot.compare(2, 21, of: 4) == .agrees)
    }

    @Test("A feed can be ahead of the stream by a second or two, and further only after silence")
    func plausible() {
        let hot = HotStream()
        func isPlausible(_ number: UInt64, silence: Int64) -> Bool {
            hot.isPlausible(number, after: 1_000, rate: 500, silence: .milliseconds(silence))
        }
        #expect(isPlausible(1, silence: 0) && isPlausible(2_024, silence: 0))
        #expect(!isPlausible(2_025, silence: 0) && isPlausible(4_000, silence: 1_000))
        #expect(!isPlausible(WireLimits.sequenceMax, silence: 1 << 40))
        #expect(!hot.isPlausible(WireLimits.sequenceMax, after: 1, rate: .infinity, silence: .zero))
    }

    @Test("At most eight hosts with different feeds are remembered for 60 s, and each is news once")
    func differentHosts() {
        let hot = HotStream()
        for number in UInt32(1)...20 {
            let isNews = hot.noteDifferent("ep-\(number)", Bench.endpoint(number), at: start)
            #expect(isNews == (number == 1))
        }
        #expect(hot.different(at: start) == (13...20).map { "ep-\($0)" })
        #expect(hot.isDifferent(Bench.endpoint(20), at: instant(59_999)))
        #expect(!hot.isDifferent(Bench.endpoint(20), at: instant(60_000)))
        hot.noteMerged()
        let isNews = hot.noteDifferent("ep-1", Bench.endpoint(1), at: start)
        #expect(isNews)
    }
}
