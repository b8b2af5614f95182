import ReflectorModel
import RelayWire
import Testing

@testable import RelayCore

@Suite("What members of a region tell each other")
struct ClaimsTests {
    private let news = StreamName("live/news")!
    private let sport = StreamName("live/sport")!
    private static let at = MonotonicInstant.zero + .seconds(1)

    private func member() -> RegionMember {
        RegionMember(
            RegionNeighbour(name: "edge-2", endpoint: Endpoint(address: IPAddress("192.0.2.2")!, port: 4_900)))
    }

    private func report(_ claims: RegionClaims, since held: UInt64, isLeaving: Bool = false) -> [RegionReport] {
        let pages = claims.pages(since: held)
        let empty = RegionReport(isLeaving: isLeaving, isSettled: true, versionHeld: 0)
        if pages.isEmpty { return [empty] }
        return pages.map { page in
            var report = empty
            report.page = page
            return report
        }
    }

    @Test("A member that holds a version gets only the changes; a member that holds none gets the whole list")
    func changes() {
        var claims = RegionClaims()
        var other = member()
        claims.claim(news)
        claims.tell(news, isWanted: true, held: nil, highest: 0, isNumberNew: false)
        claims.tell(sport, isWanted: true, held: nil, highest: 0, isNumberNew: false)
        claims.commit()
        for one in report(claims, since: 0) { _ = other.take(one, token: 1, countMax: 100, at: Self.at) }
        #expect(other.list.version == claims.version)
        #expect(other.list[news]?.leads(1) == true && other.list[sport]?.isWanted == true)

        claims.drop(news)
        claims.tell(news, isWanted: false, held: nil, highest: 0, isNumberNew: false)
        claims.commit()
        let pages = claims.pages(since: other.list.version)
        #expect(pages.map(\.entries) == [[.withdrawn(news)]])
        for one in report(claims, since: other.list.version) {
            _ = other.take(one, token: 1, countMax: 100, at: Self.at)
        }
        #expect(other.list[news] == nil && other.list.version == claims.version)
        #expect(claims.pages(since: claims.version).isEmpty)
    }

    @Test("A report that has only a higher number is sent at the interval for numbers, and not before")
    func numbers() {
        var claims = RegionClaims()
        let tag = IncarnationTag(9)
        claims.tell(news, isWanted: true, held: tag, highest: 10, isNumberNew: false)
        claims.commit()
        claims.tell(news, isWanted: true, held: tag, highest: 20, isNumberNew: false)
        #expect(!claims.isChanged)
        claims.tell(news, isWanted: true, held: tag, highest: 20, isNumberNew: true)
        #expect(claims.isChanged)
    }

    @Test("Another process of a member begins its versions again; until its list comes, the old one counts")
    func restart() {
        var other = member()
        var claims = RegionClaims()
        for number in 0..<5 {
            claims.tell(news, isWanted: true, held: IncarnationTag(UInt64(number + 1)), highest: 1, isNumberNew: true)
            claims.commit()
        }
        for one in report(claims, since: 0) { _ = other.take(one, token: 1, countMax: 100, at: Self.at) }
        var next = RegionClaims()
        _ = other.take(report(next, since: 1)[0], token: 2, countMax: 100, at: Self.at)
        #expect(other.list[news] != nil)
        next.tell(sport, isWanted: true, held: nil, highest: 0, isNumberNew: true)
        next.commit()
        for one in report(next, since: 0) { _ = other.take(one, token: 2, countMax: 100, at: Self.at) }
        #expect(other.list[news] == nil && other.list[sport]?.isWanted == true)
    }

    @Test("A member is dead after three missed intervals, and not before this node could have heard it")
    func silence() {
        let rules = RegionRules()
        var other = member()
        #expect(other.deadline(rules.silenceMax, judgeFrom: .zero) == nil)
        _ = other.take(report(RegionClaims(), since: 1)[0], token: 1, countMax: 100, at: Self.at)
        #expect(other.deadline(rules.silenceMax, judgeFrom: .zero) == Self.at + .milliseconds(750))
        let woke = Self.at + .seconds(3)
        #expect(other.deadline(rules.silenceMax, judgeFrom: woke) == woke + .milliseconds(750))
        other.noteDead()
        #expect(other.deadline(rules.silenceMax, judgeFrom: .zero) == nil)
    }

    @Test("A list with more entries than allowed is refused, and forgotten")
    func tooLarge() {
        var claims = RegionClaims()
        for number in 0..<40 {
            claims.tell(
                StreamName("live/channel-\(number)")!, isWanted: true, held: nil, highest: 0, isNumberNew: true)
        }
        claims.commit()
        var other = member()
        var outcomes: [PagedList<RegionReport.Entry>.Outcome] = []
        for one in report(claims, since: 0) {
            outcomes.append(other.take(one, token: 1, countMax: 20, at: Self.at))
        }
        #expect(outcomes.contains(.tooLarge))
        #expect(other.list.streams.isEmpty)
    }

    @Test("What a member said before it was lost does not count when it comes back")
    func comesBack() {
        var claims = RegionClaims()
        claims.claim(news)
        claims.tell(news, isWanted: true, held: nil, highest: 0, isNumberNew: true)
        claims.commit()
        var other = member()
        for one in report(claims, since: 0) { _ = other.take(one, token: 1, countMax: 20, at: Self.at) }
        #expect(other.list[news]?.leads(1) == true)
        other.noteDead()
        for token: UInt64 in [1, 2] {
            _ = other.take(
                RegionReport(isLeaving: false, isSettled: true, versionHeld: 0), token: token, countMax: 20, at: Self.at
            )
            #expect(other.isUp && other.list.streams.isEmpty && other.list.version == 0)
        }
    }

    @Test("A slot that others are asked to lead is offered for a while")
    func yields() {
        var claims = RegionClaims()
        claims.claim(news)
        claims.yield(news, until: Self.at, isForced: false)
        #expect(claims.isYielding(news) && claims.leads(news))
        let expired = [Self.at - .milliseconds(1), Self.at].map { claims.expire(at: $0) }
        #expect(expired == [false, true])
        #expect(!claims.isYielding(news))
    }

    @Test("A member that found no parent is cut off until what it asked for is over; an offer is none of that")
    func cutOff() {
        var claims = RegionClaims()
        claims.yield(news, until: Self.at, isForced: false)
        #expect(!claims.isCutOff)
        claims.attempt(sport, until: Self.at)
        #expect(claims.attempted.all == [sport])
        claims.yield(sport, until: Self.at + .seconds(1), isForced: true)
        #expect(claims.attempted.isEmpty && claims.isCutOff)
        _ = claims.expire(at: Self.at)
        #expect(claims.isCutOff)
        _ = claims.expire(at: Self.at + .seconds(1))
        #expect(!claims.isCutOff)
    }
}
