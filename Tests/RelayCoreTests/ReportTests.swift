import ReflectorModel
import Testing

@testable import RelayCore

@Suite("Reports of children")
struct ReportTests {
    @Test("Reports add up across a wrap of the counter; a report that was overtaken adds nothing")
    func adds() {
        var report = ChildReport()
        #expect(did(&report) { $0.take(received: 100, lost: 7, sent: 1_000) } == 0)
        // The missed packets came late.
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

    @Test("A report counts only up to the packets sent to the child")
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

    @Test("One child alone, or many behind one address, do not count; the report of most children does")
    func median() {
        var totals = ReportTotals()
        totals.count([vote(1, 0, 1_000)])
        totals.count((0..<50).map { _ in vote(1, 0, 1_000) })
        totals.count([vote(1, 0, 1_000), vote(2, 1_000, 0), vote(3, 1_000, 0)])
        #expect(totals.lost == 0)
        #expect(totals.received == 54_000)
        // Four behind the same lossy network, and one that denies the loss.
        totals.count((1...4).map { vote($0, 800, 200) } + [vote(5, 1_000, 0)])
        #expect(totals.lost == 1_000)
        #expect(totals.received == 58_000)
    }

    @Test("A child that was sent almost nothing does not count")
    func quiet() {
        var totals = ReportTotals()
        totals.count((1...9).map { vote($0, 0, 39) })
        #expect(totals.lost == 0)
    }
}
