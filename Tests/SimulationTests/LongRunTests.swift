import ReflectorModel
import Testing

@testable import ReflectorSimulation

@Suite("A long run of adaptive multipath")
struct LongRunTests {
    @Test("Adaptive multipath costs little more than one path and loses nearly as little as two")
    func adaptivePays() {
        var longRun = LongRunSimulation()
        longRun.regions = 20
        longRun.streams = 2
        let one = longRun.run(.always(1))
        let adaptive = longRun.run(.adaptive)
        let two = longRun.run(.always(2))
        #expect(one.averagePaths == 1 && two.averagePaths == 2)
        #expect((1.1...1.2).contains(adaptive.averagePaths), "\(adaptive.averagePaths)")
        #expect(adaptive.lossPercent < 0.1, "\(adaptive.lossPercent)")
        #expect(adaptive.lossPercent < one.lossPercent / 2, "\(adaptive.lossPercent) of \(one.lossPercent)")
        #expect(longRun.run(.adaptive) == adaptive)
    }
}
