import ReflectorModel
import Testing

@testable import RelayCore

@Suite("Sending in addition to live packets")
struct EgressBudgetTests {
    /// 100 Mbit/s: a bucket of 1 Mbit.
    private var budget: EgressBudget { EgressBudget(bitsPerSecond: 100_000_000) }

    @Test("prebursts stop first, then resumes, then retransmits")
    func order() {
        var budget = budget
        func admitted() -> [Bool] { [.retransmit, .resume, .preburst].map(budget.admits) }
        #expect(admitted() == [true, true, true])
        budget.spend(bytes: 70_000, datagrams: 0)
        #expect(admitted() == [true, true, false])
        budget.spend(bytes: 30_000, datagrams: 0)
        #expect(admitted() == [true, false, false])
        budget.spend(bytes: 25_000, datagrams: 0)
        #expect(admitted() == [false, false, false])
    }

    @Test("with live packets of 80 Mbit/s, requested packets get the other 20")
    func share() {
        var budget = budget
        var sent = 0
        for millisecond in 1...1_000 {
            budget.refill(at: instant(Int64(millisecond)))
            budget.spend(bytes: 10_000, datagrams: 0)
            while budget.admits(.resume) {
                budget.spend(bytes: 1_222, datagrams: 1)
                sent += 10_000
            }
        }
        #expect((19_000_000...22_000_000).contains(sent), "\(sent)")
    }

    @Test("a burst of live packets puts the budget into debt, but only to a limit")
    func debt() {
        var budget = budget
        budget.spend(bytes: 100_000_000, datagrams: 0)
        budget.refill(at: instant(0))
        #expect(!budget.admits(.retransmit))
        #expect(budget.wait(for: .retransmit) <= .milliseconds(101))
        budget.refill(at: instant(102))
        #expect(budget.admits(.retransmit))
    }

    @Test("without a declared capacity there is no limit")
    func unlimited() {
        var budget = EgressBudget(bitsPerSecond: 0)
        budget.spend(bytes: .max / 16, datagrams: 0)
        budget.refill(at: instant(1))
        #expect(budget.admits(.preburst) && budget.wait(for: .preburst) == .zero)
    }
}
