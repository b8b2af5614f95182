import ReflectorModel
import Testing

@testable import RelayCore

private let start = MonotonicInstant.zero + .seconds(100)

@Suite("Admission")
struct AdmissionTests {
    private func load(_ rate: Double?, copies: Int, extra: Int = 0) -> Admission.Load {
        Admission.Load(rate: rate, copies: copies, extraCopies: extra)
    }

    @Test("Without a declared capacity everything is admitted, and stream loads are not counted")
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
        // Extra paths can be ended, so they take no room from a first copy.
        #expect(admission.admit(isExtra: false, rate: { 10 }, loads: { loads }, at: start) != nil)
        #expect(admission.admit(isExtra: false, rate: { 15 }, loads: { loads }, at: start) != nil)
        #expect(admission.admit(isExtra: false, rate: { 10 }, loads: { loads }, at: start) == nil)
    }

    @Test("Capacity that is taken back makes room, unless the loads have been counted since")
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

    @Test("A stream of unknown rate counts at the average rate of the others")
    func unknownRate() {
        var admission = Admission(bitsPerSecond: 100)
        let loads = [load(10, copies: 2), load(30, copies: 2), load(nil, copies: 2)]
        // 80 known and 2 × 20 unknown: too much already.
        #expect(admission.admit(isExtra: false, rate: { nil }, loads: { loads }, at: start) == nil)
        #expect(admission.averageCopy == 20)
    }

    @Test("Above 90 %, extra paths are asked to end until 80 % is reached, at most every 100 ms")
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
