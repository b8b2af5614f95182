import ReflectorModel
import Testing

@testable import ReflectorSimulation

@Suite("Thundering herd: a set reflector dies, and all its regions move to the others at once")
struct ThunderingHerdTests {
    /// Four set reflectors of 24 regions each. The total rate of a few streams varies, relative to its mean, far more
    /// than that of thousands: if live packets fill 90 % of a line of 8 Mbit/s, they are queued for tens of
    /// milliseconds even without other traffic.
    private var small: ThunderingHerdOptions {
        var options = ThunderingHerdOptions()
        options.edgesPerSet = 24
        options.streams = 48
        options.streamsPerEdge = 4
        options.queue = .milliseconds(100)
        options.settling = .seconds(6)
        options.aftermath = .seconds(6)
        return options
    }

    @Test("With 1.5 times headroom no packet is lost, neither by the regions that move nor by those that stay")
    func nothingLost() {
        let report = ThunderingHerdSimulation(small).run()
        #expect(report.problems.isEmpty, "\(report.problems)")
        #expect(report.stayed.count == 288 && report.moved.count == 96)
        #expect(report.backlogSent > 96, "the regions that moved had missed packets")
        #expect(report.moved.gapMax > .milliseconds(300), "the death caused a gap")
    }

    @Test("If the lines are full, the regions that move cause no loss for the regions that keep their parent")
    func full() {
        var options = small
        options.sets = 3
        options.edgesPerSet = 100
        options.streams = 200
        let report = ThunderingHerdSimulation(options).run()
        #expect(report.stayed.lost == 0 && report.stayed.wrong == 0 && report.stayed.unserved == 0)
        #expect(report.dropped == 0)
        #expect(report.backlogSent > 0)
    }

    @Test("Set reflectors that do not know their capacity overrun their lines, and the report shows it")
    func undeclared() {
        var options = small
        options.declaresCapacity = false
        let report = ThunderingHerdSimulation(options).run()
        #expect(report.dropped > 0)
        #expect(!report.problems.isEmpty)
    }

    @Test("The same seed gives the same digest")
    func repeats() {
        var options = small
        options.edgesPerSet = 6
        #expect(ThunderingHerdSimulation(options).run().digest == ThunderingHerdSimulation(options).run().digest)
    }
}
