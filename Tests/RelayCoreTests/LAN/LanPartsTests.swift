import ReflectorModel
import RelayWire
import Testing

@testable import RelayCore

@Suite("Parts of a feed on the LAN")
struct LanPartsTests {
    private let place = LanFeed.Place(token: 1, group: Endpoint(address: IPAddress(v4: 0xefff_5201), port: 4_910))
    private func at(_ milliseconds: Int64) -> MonotonicInstant { .zero + .milliseconds(milliseconds) }

    @Test("Groups: 1 to 256 multicast addresses and a port; a stream always has the same one")
    func groups() throws {
        #expect(LanGroups(CIDRBlock("239.0.0.0/23"), port: 1) == nil)
        #expect(LanGroups(CIDRBlock("10.0.0.0/24"), port: 1) == nil)
        #expect(LanGroups(CIDRBlock("239.0.0.0/24"), port: 0) == nil)
        #expect(LanGroups(nil, port: 1) == nil)
        let one = try #require(LanGroups(CIDRBlock("239.1.2.3/32"), port: 7))
        #expect(one.group(of: try #require(StreamName("a"))).description == "239.1.2.3:7")
        for groups in [LanGroups.v4, .v6] {
            let groups = try #require(groups)
            let all = try (0..<2_000).map { groups.group(of: try #require(StreamName("live/\($0)"))) }
            #expect(Set(all).count > 200 && all.allSatisfy(groups.contains))
        }
        #expect(LanGroups.v4?.group(of: try #require(StreamName("live/news"))).description == "239.255.82.19:4910")
    }

    @Test("A feed is ready once eight packets have arrived, and again after a bar that grows with each failure")
    func bars() {
        var intake = LanIntake(place)
        var (number, time) = (UInt32(1_000_000), Int64(0))
        func hear(_ count: Int, _ intake: inout LanIntake) {
            for _ in 0..<count {
                (number, time) = (number + 1, time + 10)
                let behind = intake.note(number, at: at(time))
                #expect(behind == 0)
            }
        }
        hear(7, &intake)
        #expect(!intake.isReady(at: at(time)))
        hear(1, &intake)
        #expect(intake.isReady(at: at(time)) && intake.window.missing == 0)
        var waits: [Int64] = []
        for _ in 0..<7 {
            intake.use(at: at(time))
            #expect(!intake.isReady(at: at(time)))
            intake.fail(at: at(time))
            let failed = time
            while !intake.isReady(at: at(time)) { hear(1, &intake) }
            waits.append((time - failed) / 1_000)
        }
        #expect(waits == [2, 4, 8, 16, 32, 32, 32])
    }

    @Test("A feed that loses more than a fifth is lossy; duplicates do not hide that")
    func loss() {
        var intake = LanIntake(place)
        var number: UInt32 = 0
        for step in 0..<8 {
            number += 1
            _ = intake.note(number, at: at(Int64(step)))
        }
        intake.use(at: at(10))
        for step in 0..<100 {
            number += step % 3 == 0 ? 2 : 1
            _ = intake.note(number, at: at(Int64(20 + step * 10)))
            let again = intake.note(number, at: at(Int64(20 + step * 10)))
            #expect(again == nil)
        }
        let isLossy = [1_100, 1_200].map { intake.isLossy(at: at($0)) }
        #expect(isLossy == [true, false])
        for step in 0..<100 {
            number += 1
            _ = intake.note(number, at: at(Int64(1_200 + step * 10)))
        }
        let isStillLossy = intake.isLossy(at: at(2_300))
        #expect(!isStillLossy)
    }

    @Test(
        "When a sender restarts its numbers, the window follows after 32 packets; a single false number changes nothing"
    )
    func strays() {
        var intake = LanIntake(place)
        for number in 1...50 as ClosedRange<UInt32> { _ = intake.note(number, at: at(0)) }
        _ = intake.note(3_000_000_000, at: at(0))
        #expect(intake.window.highest == 50)
        for number in 900_000_001...900_000_032 as ClosedRange<UInt32> { _ = intake.note(number, at: at(0)) }
        #expect(intake.window.highest == 900_000_032)
        let behind = intake.note(900_000_034, at: at(0))
        #expect(behind == 0)
        #expect(intake.window.hasMissing(after: 900_000_032, before: 900_000_034))
    }

    @Test("Requests of several members within a moment are answered once; a later try is answered again")
    func outlet() {
        let outlet = LanOutlet(place, local: 0)
        let first = Nak(subscription: 9, tryNumber: 1, runs: [])
        let other = Nak(subscription: 12, tryNumber: 1, runs: [])
        #expect(outlet.admits(5, of: first, at: at(0)))
        #expect(!outlet.admits(5, of: other, at: at(3)))
        #expect(outlet.admits(6, of: other, at: at(3)))
        #expect(!outlet.admits(5, of: other, at: at(900)))
        #expect(outlet.admits(5, of: other, at: at(1_100)))
    }
}
