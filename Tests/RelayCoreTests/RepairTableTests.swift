import ReflectorModel
import RelayWire
import Testing

@testable import RelayCore

@Suite("Gap table")
struct GapTableTests {
    private func note(
        _ table: inout GapTable, _ sequence: UInt64, due: Int64 = 10, path: UInt8 = 0, link: UInt32 = 0, max: Int = 10
    ) -> Bool {
        table.note(sequence, max: max, at: instant(0)) { gap in
            gap.due = instant(due)
            gap.reorderedOn = path
            gap.reorderedUntil = link
        }
    }

    private func due(
        _ table: inout GapTable, at milliseconds: Int64, path: UInt8 = 0, link: UInt32 = 0
    ) -> [UInt64] {
        var asked: [UInt64] = []
        table.takeDue(at: instant(milliseconds), path: path, linkHighest: link) { gap in
            gap.tries += 1
            gap.due = instant(milliseconds + 20)
            asked.append(gap.sequence)
        }
        return asked
    }

    @Test("Gaps are due in order, and again at their next time, until they are filled")
    func asksAndRetries() {
        var table = GapTable()
        for number in [7, 3, 5] as [UInt64] { #expect(note(&table, number)) }
        #expect(due(&table, at: 9).isEmpty)
        #expect(due(&table, at: 10) == [3, 5, 7])
        #expect(due(&table, at: 29).isEmpty)
        #expect(did(&table) { $0.remove(5) }?.tries == 1)
        #expect(due(&table, at: 30) == [3, 7])
        #expect(did(&table) { $0.remove(5) } == nil)
    }

    @Test("A gap is due early once enough later packets came on its own link; other links do not count")
    func reorderingDecides() {
        var table = GapTable()
        #expect(note(&table, 4, due: 1_000, path: 2, link: 12))
        #expect(due(&table, at: 1, path: 2, link: 11).isEmpty)
        #expect(due(&table, at: 1, path: 1, link: 12).isEmpty)
        #expect(due(&table, at: 1, path: 2, link: 12) == [4])
        #expect(due(&table, at: 2, path: 2, link: 13).isEmpty)
    }

    @Test("A gap that is noted again is changed, not added twice")
    func notesOnce() {
        var table = GapTable()
        #expect(note(&table, 4, due: 100))
        #expect(note(&table, 4, due: 10))
        #expect(table.count == 1)
        #expect(due(&table, at: 10) == [4])
    }

    @Test("A full table refuses gaps, and giving up by age or number empties it")
    func isBounded() {
        var table = GapTable()
        for number in UInt64(1)...4 { #expect(note(&table, number, max: 4)) }
        #expect(!note(&table, 5, max: 4))
        table.giveUp(below: 3, detectedBefore: .zero)
        #expect(table.first?.sequence == 3)
        table.giveUp(below: 0, detectedBefore: instant(1))
        #expect(table.isEmpty)
        #expect(table.nextDue == .distantFuture)
    }

    @Test("When a path ends, its marks are cleared, so that the next path with the same bit starts clean")
    func forgetsPaths() {
        var table = GapTable()
        #expect(table.note(9, max: 4, at: instant(0)) { $0.lostOn = 3 } == true)
        table.forgetPath(1)
        #expect(table.first?.lostOn == 2)
        table.forgetPaths(due: instant(50))
        #expect(table.first?.lostOn == 0)
        #expect(table.nextDue == instant(50))
    }
}

@Suite("Repair times")
struct RepairTimesTests {
    private struct Said: Equatable {
        var at: Int64
        var tryNumber: UInt8
        var isLast: Bool
    }

    private func said(deadline: Int64, until: Int64, goesOn: Bool = false, isRepeated: Bool = true) -> [Said] {
        var measured = RoundTrip()
        for _ in 0..<100 { measured.sample(.milliseconds(40)) }
        let times = RepairTimes(measured, deadline: .milliseconds(deadline), goesOn: goesOn)
        var gap = GapTable.Gap(sequence: 1, detected: instant(0), due: instant(0))
        var said: [Said] = []
        for millisecond in 0...until where gap.due <= instant(millisecond) {
            if let ask = times.next(&gap, isRepeated: isRepeated, at: instant(millisecond)) {
                said.append(Said(at: millisecond, tryNumber: ask.tryNumber, isLast: ask.isLast))
            }
        }
        return said
    }

    private func firsts(_ said: [Said]) -> [Said] {
        said.enumerated().filter { $0.offset == 0 || said[$0.offset - 1].tryNumber != $0.element.tryNumber }.map(
            \.element)
    }

    @Test("A packet is requested at once, after SRTT + 4·RTTVAR, and twice just before an answer would be too late")
    func tries() {
        let tries = firsts(said(deadline: 120, until: 200))
        #expect(tries.map(\.tryNumber) == [1, 2, 3, 4])
        #expect(tries.map(\.isLast) == [false, false, true, true])
        #expect(tries.map(\.at) == [0, 42, 68, 73])
    }

    @Test("Each try is repeated until the next one, and requests stop once no answer can come in time")
    func repeats() {
        let all = said(deadline: 120, until: 200)
        #expect(all.count > 12)
        #expect(all.allSatisfy { $0.at <= 81 })
        #expect(firsts(said(deadline: 120, until: 200, isRepeated: false)).count == 4)
        #expect(said(deadline: 120, until: 200, isRepeated: false).count <= 5)
    }

    @Test("A relay continues to request a packet after its own deadline, at growing intervals")
    func goesOn() {
        let late = said(deadline: 120, until: 2_000, goesOn: true).filter { $0.at > 120 }
        #expect((4...30).contains(late.count), "\(late.count)")
        #expect(late.allSatisfy { !$0.isLast })
    }
}

@Suite("Duplicate-NAK filter")
struct DuplicateNakFilterTests {
    private func admits(
        _ table: inout DuplicateNakFilter, _ sequence: UInt64, _ tryNumber: UInt8, isLast: Bool = false, at: Int64
    ) -> Bool {
        table.admits(
            sequence, of: 7, tryNumber: tryNumber, isLast: isLast, roundTrip: .milliseconds(40), at: instant(at))
    }

    @Test("Each try is answered once, and none while an answer is on its way")
    func once() {
        var table = DuplicateNakFilter()
        #expect(admits(&table, 5, 1, at: 100))
        #expect(!admits(&table, 5, 1, at: 110))
        #expect(!admits(&table, 5, 2, at: 139))
        #expect(admits(&table, 5, 2, at: 142))
        #expect(admits(&table, 6, 1, at: 142))
    }

    @Test("The last possible try is answered if one answer is on its way, but not if two are")
    func last() {
        var table = DuplicateNakFilter()
        #expect(admits(&table, 5, 1, at: 100))
        #expect(admits(&table, 5, 2, isLast: true, at: 110))
        #expect(!admits(&table, 5, 3, isLast: true, at: 115))
        #expect(admits(&table, 9, 1, isLast: true, at: 110))
        #expect(admits(&table, 9, 2, isLast: true, at: 115))
    }

    @Test("A repair without a request also counts as on its way, and everything is forgotten after a second")
    func repaired() {
        var table = DuplicateNakFilter()
        #expect(admits(&table, 1, 1, at: 100))
        table.noteRepair(5, of: 7, at: instant(100))
        #expect(!admits(&table, 5, 1, at: 120))
        #expect(admits(&table, 5, 1, at: 150))
        #expect(!admits(&table, 5, 1, at: 900))
        #expect(admits(&table, 5, 1, at: 1_200))
    }
}

@Suite("Reordering")
struct ReorderToleranceTests {
    @Test("The tolerance in packets and time grows with observed reordering and shrinks later; stragglers do not count")
    func adapts() {
        var tolerance = ReorderTolerance()
        var trip = RoundTrip()
        #expect(tolerance.packets == 2)
        #expect(tolerance.time(trip) == .milliseconds(2))
        trip.sample(.milliseconds(40))
        #expect(tolerance.time(trip) == .milliseconds(10))
        tolerance.note(behind: 7, late: .milliseconds(16), at: instant(0))
        tolerance.note(behind: 500, late: .milliseconds(200), at: instant(0))
        #expect(tolerance.packets == 8)
        #expect(tolerance.time(trip) == .milliseconds(20))
        tolerance.turn(at: instant(10_000))
        #expect(tolerance.packets == 8)
        tolerance.turn(at: instant(20_000))
        #expect(tolerance.packets == 2)
    }
}

@Suite("Link number window")
struct LinkNumberWindowTests {
    @Test("Each number is new once, in any order, and the window reports how late it arrived")
    func onceEach() {
        var window = LinkNumberWindow()
        for (number, behind) in [(1, 0), (3, 0), (2, 1), (6, 0)] as [(UInt32, UInt32)] {
            #expect(did(&window) { $0.note(number) } == behind)
        }
        for number in [1, 3, 2, 6] as [UInt32] { #expect(did(&window) { $0.note(number) } == nil) }
        #expect(window.missing == 2)
        #expect(window.hasMissing(after: 3, before: 6))
        #expect(!window.hasMissing(after: 0, before: 4))
        #expect(did(&window) { $0.note(5) } == 1)
        #expect(window.hasMissing(after: 3, before: 5))
        #expect(did(&window) { $0.note(4) } == 2)
        #expect(!window.hasMissing(after: 0, before: 6))
    }

    @Test("A heartbeat's next number shows a lost tail")
    func tailIsSeen() {
        var window = LinkNumberWindow()
        #expect(did(&window) { $0.note(1) } == 0)
        window.expect(next: 4)
        #expect(window.missing == 2)
        #expect(window.hasMissing(after: 1, before: 4))
        window.expect(next: 2)
        #expect(window.highest == 3)
    }

    @Test("After the numbers have wrapped, the loss is still a share of all, and older missing numbers are remembered")
    func totalsBeyondTheWrap() {
        var window = LinkNumberWindow()
        for next: UInt32 in [0x6000_0000, 0xc000_0000, 0xffff_fff8] { window.expect(next: next) }
        let missed = UInt64(window.missing)
        for number: UInt32 in [0xffff_fff8, 0xffff_fff9, 0xffff_fffb, 0xffff_fffc, 0xffff_fffd, 0xffff_fffe, .max] {
            #expect(did(&window) { $0.note(number) } == 0)
        }
        for number: UInt32 in [0, 1, 2, 4, 5] { #expect(did(&window) { $0.note(number) } == 0) }
        #expect(did(&window) { $0.note(3) } == 2)
        #expect(window.sent == 1 << 32 + 5)
        #expect(window.arrived == window.sent - missed - 1)
        #expect((99.9...100).contains(window.lossPercent))
        #expect(window.hasMissing(after: 0xffff_fff9, before: 5))
        #expect(!window.hasMissing(after: 0xffff_fffa, before: 5))
    }

    @Test("Numbers wrap, and numbers that are too old are not counted")
    func wraps() {
        var window = LinkNumberWindow()
        var number = UInt32.max - 3
        // A link begins at 1, so the test approaches the end in steps.
        for step in stride(from: UInt32(1), to: number, by: 1 << 30) { window.expect(next: step) }
        window.expect(next: number)
        #expect(did(&window) { $0.note(number) } == 0)
        for _ in 0..<6 {
            number = number &+ 1
            #expect(did(&window) { $0.note(number) } == 0)
            #expect(did(&window) { $0.note(number) } == nil)
        }
        #expect(window.highest == 2)
        let before = window.received
        #expect(did(&window) { $0.note(number &- LinkNumberWindow.width) } == 0)
        #expect(window.received == before)
    }

    @Test(
        "A packet alone moves the window by at most its width; a heartbeat moves it further, and back after a forgery")
    func forgery() {
        var window = LinkNumberWindow()
        for number in 1...100 as ClosedRange<UInt32> { #expect(did(&window) { $0.note(number) } == 0) }
        for number in [100 + LinkNumberWindow.width, 1 << 31, (1 << 31) + 100, .max - 5_000] as [UInt32] {
            #expect(did(&window) { $0.note(number) } == 0)
        }
        #expect(window.highest == 100)
        #expect(window.missing == 0)
        for step in 1...4 as ClosedRange<UInt32> { _ = window.note(100 + step * (LinkNumberWindow.width - 1)) }
        window.expect(next: 102)
        #expect(window.highest == 101)
        #expect(did(&window) { $0.note(102) } == 0)
        window.expect(next: 1_000_000)
        #expect(window.highest == 999_999)
    }
}
