import ReflectorModel
import Testing

@testable import RelayCore

@Suite("What children report")
struct ReportTests {
    @Test("Reports add up over a turn of the counter; one that was overtaken adds nothing")
    func adds() {
        var report = ChildReport()
        #expect(did(&report) { $0.take(received: 100, lost: 7, sent: 1_000) } == 0)
        // What was missed came after all.
        #expect(did(&report) { $0.take(received: 150, lost: 3, sent: 1_000) } == 0)
        #expect(report.received == 150)
        #expect(report.lost == 3)
        #expect(did(&report) { $0.take(received: 120, lost: 5, sent: 1_000) } == nil)
        #expect(report.received == 150)
        var turning = ChildReport()
        for received in [UInt32(1) << 30, 1 << 31, 3 << 30, .max] {
            #expect(did(&turning) { $0.take(received: received, lost: 0, sent: .max) } == 0)
        }
        #expect(did(&turning) { $0.take(received: 9, lost: 0, sent: .max) } == 0)
        #expect(turning.received == (1 << 32) + 9)
    }

    @Test("Nobody is believed beyond what was sent to it")
    func bounded() {
        var report = ChildReport()
        for half in 1...100 as ClosedRange<UInt32> {
            #expect(did(&report) { $0.take(received: 0, lost: half * 100_000, sent: 0) } == 100_000)
        }
        #expect(report.lost == 0)
        _ = report.take(received: 40, lost: .max, sent: 100)
        #expect(report.received == 40)
        #expect(report.lost <= 60)
        _ = report.take(received: .max, lost: 0, sent: 100)
        #expect(report.received + report.lost <= 100)
    }

    private func vote(_ address: UInt32, _ received: UInt64, _ lost: UInt64) -> ReportTotals.Vote {
        ReportTotals.Vote(address: IPAddress(v4: address), received: received, lost: lost)
    }

    @Test("One child's word, and that of many behind one address, says nothing; what most say counts")
    func median() {
        var totals = ReportTotals()
        totals.count([vote(1, 0, 1_000)])
        totals.count((0..<50).map { _ in vote(1, 0, 1_000) })
        totals.count([vote(1, 0, 1_000), vote(2, 1_000, 0), vote(3, 1_000, 0)])
        #expect(totals.lost == 0)
        #expect(totals.received == 54_000)
        // Four on the same lossy ground, and one that denies it.
        totals.count((1...4).map { vote($0, 800, 200) } + [vote(5, 1_000, 0)])
        #expect(totals.lost == 1_000)
        #expect(totals.received == 58_000)
    }

    @Test("Whom hardly anything was sent to has no voice")
    func quiet() {
        var totals = ReportTotals()
        totals.count((1...9).map { vote($0, 0, 39) })
        #expect(totals.lost == 0)
    }
}
