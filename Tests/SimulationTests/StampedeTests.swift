import ReflectorModel
import Testing

@testable import ReflectorSimulation

@Suite("A set reflector dies, and all its regions come to the others at once")
struct StampedeTests {
    /// Four set reflectors of 24 regions each. So few streams are far more uneven than thousands: when the lines of some
    /// 8 Mbit/s are nine tenths full of live packets, these alone wait for tens of milliseconds.
    private var small: StampedeOptions {
        var options = StampedeOptions()
        options.edgesPerSet = 24
        options.streams = 48
        options.streamsPerEdge = 4
        options.queue = .milliseconds(100)
        options.settling = .seconds(6)
        options.aftermath = .seconds(6)
        return options
    }

    @Test("With 1.5 times headroom nothing is lost, neither by those who come nor by those who were there")
    func nothingLost() {
        let report = StampedeSimulation(small).run()
        #expect(report.problems.isEmpty, "\(report.problems)")
        #expect(report.stayed.count == 288 && report.moved.count == 96)
        #expect(report.backlogSent > 96, "those who moved had missed something")
        #expect(report.moved.gapMax > .milliseconds(300), "the death was felt")
    }

    @Test("Where the lines would be full to the last bit, who has a live parent loses nothing for those who come")
    func full() {
        var options = small
        options.sets = 3
        options.edgesPerSet = 100
        options.streams = 200
        let report = StampedeSimulation(options).run()
        #expect(report.stayed.lost == 0 && report.stayed.wrong == 0 && report.stayed.unserved == 0)
        #expect(report.dropped == 0)
        #expect(report.backlogSent > 0)
    }

    @Test("Set reflectors that do not know their capacity overrun their lines: the simulation can tell")
    func undeclared() {
        var options = small
        options.declaresCapacity = false
        let report = StampedeSimulation(options).run()
        #expect(report.dropped > 0)
        #expect(!report.problems.isEmpty)
    }

    @Test("The same seed gives the same digest")
    func repeats() {
        var options = small
        options.edgesPerSet = 6
        #expect(StampedeSimulation(options).run().digest == StampedeSimulation(options).run().digest)
    }
}
