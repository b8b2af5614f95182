import ReflectorModel
import Testing

@testable import ReflectorSimulation
@testable import RelayCore

/// Two entrypoints forward the same bytes, and one of them fails. Each case runs with several seeds.
@Suite("Hot standby")
struct HotStandbyTests {
    static let seeds: ClosedRange<UInt64> = 1...2
    /// The second entrypoint's feed is this much later, in milliseconds.
    static let offsets: [Int64] = [0, 50, 300, -300]

    private func run(
        _ seed: UInt64, offset: Int64 = 0, _ faults: [(TimeSpan, HotFault)],
        _ change: (inout HotOptions) -> Void = { _ in }
    ) throws -> (report: HotReport, simulation: HotSimulation) {
        var options = HotOptions(seed: seed)
        options.offset = .milliseconds(offset)
        options.faults = faults.map { (at: $0.0, fault: $0.1) }
        change(&options)
        let simulation = try #require(HotSimulation(options))
        return (simulation.run(), simulation)
    }

    /// Expects that the edge delivered everything once and in order, from one incarnation.
    private func expectWhole(_ report: HotReport, _ seed: UInt64, _ location: SourceLocation = #_sourceLocation) {
        #expect(
            report.lost == 0 && report.repeated == 0 && report.wrong == 0 && report.discontinuities == 0,
            "seed \(seed): \(report)",
            sourceLocation: location)
        #expect(report.sealedTwice == 0, "seed \(seed)", sourceLocation: location)
        #expect(report.delayMax < .milliseconds(500), "seed \(seed)", sourceLocation: location)
    }

    @Test("An entrypoint that dies is not missed: nothing is lost, late, repeated or out of order", arguments: offsets)
    func death(offset: Int64) throws {
        for seed in Self.seeds {
            for index in 0...1 {
                for fault in [HotFault.kill(index, restartAfter: nil), .cut(index), .pause(index, .seconds(2))] {
                    let (report, _) = try run(seed, offset: offset, [(.seconds(6), fault)])
                    expectWhole(report, seed)
                    // Viewers follow the feed that is ahead; when it dies, they wait for the other one.
                    #expect(report.gapMax < .milliseconds(abs(offset) + 50), "seed \(seed): \(report)")
                }
            }
        }
    }

    @Test("Neither is an entrypoint that dies while every link loses 2 %", arguments: offsets)
    func deathAndLoss(offset: Int64) throws {
        for seed in Self.seeds {
            for index in 0...1 {
                let (report, _) = try run(seed, offset: offset, [(.seconds(6), .kill(index, restartAfter: nil))]) {
                    $0.link.loss = 0.02
                }
                expectWhole(report, seed)
            }
        }
    }

    @Test("An entrypoint that comes back is merged again, so that the other one may die next", arguments: offsets)
    func inTurn(offset: Int64) throws {
        for seed in Self.seeds {
            let faults: [(TimeSpan, HotFault)] = [
                (.seconds(5), .kill(0, restartAfter: .seconds(1))), (.seconds(9), .kill(1, restartAfter: .seconds(1))),
                (.seconds(13), .kill(0, restartAfter: nil)),
            ]
            let (report, simulation) = try run(seed, offset: offset, faults) { $0.span = .seconds(16) }
            expectWhole(report, seed)
            #expect(simulation.counters(of: "set-0")?[.twinsMerged] == 3)
        }
    }

    @Test("Two set reflectors merge alike, so an edge with paths to both loses nothing either")
    func twoSets() throws {
        for seed in Self.seeds {
            let (report, _) = try run(seed, offset: 50, [(.seconds(6), .kill(0, restartAfter: .seconds(1)))]) {
                $0.sets = 2
                $0.paths = 2
                $0.link.loss = 0.02
            }
            expectWhole(report, seed)
        }
    }

    @Test("A silent encoder is no fault: no feed is left, and nothing is lost afterwards")
    func silence() throws {
        let (report, simulation) = try run(1, offset: 50, [(.seconds(6), .silence(.seconds(4)))])
        expectWhole(report, 1)
        let counters = try #require(simulation.counters(of: "set-0"))
        #expect(counters[.fillerReceived] == 0)
        #expect(counters[.subscribesSent] < 12)
        #expect(counters[.linksDied] == 0)
    }

    @Test(
        "Feeds that are not the same bytes are found out: the stream goes on in order from the first one",
        arguments: offsets)
    func differ(offset: Int64) throws {
        for seed in Self.seeds {
            let (report, simulation) = try run(seed, offset: offset, [(.seconds(6), .differ(1))])
            #expect(report.discontinuities == 0 && report.repeated == 0 && report.sealedTwice == 0)
            // What the second feed brought ahead of the first one, before that one showed the difference.
            #expect(report.wrong <= UInt64(max(0, -offset)) / 5 + 1, "\(report)")
            #expect(report.lost == report.wrong)
            let counters = try #require(simulation.counters(of: "set-0"))
            #expect(counters[.twinMismatches] == 1 && counters[.twinsDifferent] == 1)
            #expect(simulation.status(of: "set-0")?.streams.first?.feedsDifferent == ["ep-nyc"])
        }
    }

    @Test("Feeds that never were the same bytes are handled as warm: the second takes over with one discontinuity")
    func neverTheSame() throws {
        var alarms: [String] = []
        var options = HotOptions(seed: 1)
        options.faults = [(at: .zero, fault: .differ(1)), (at: .seconds(10), fault: .kill(0, restartAfter: nil))]
        options.span = .seconds(14)
        let simulation = try #require(HotSimulation(options))
        simulation.trace = { alarms.append($0) }
        let report = simulation.run()
        #expect(report.discontinuities == 1)
        #expect(report.wrong > 400)
        #expect(alarms.count { $0.contains("not byte-identical") } == 1)
    }

    @Test(
        "An entrypoint that lost payloads learns its new numbers, and is merged again", arguments: [0, 50] as [Int64])
    func ingestLoss(offset: Int64) throws {
        let (report, simulation) = try run(1, offset: offset, [(.seconds(6), .ingestLoss(1, payloads: 3))])
        expectWhole(report, 1)
        let counters = try #require(simulation.counters(of: "set-0"))
        #expect(counters[.twinMismatches] == 1 && counters[.twinsMerged] == 2)
        #expect(simulation.status(of: "set-0")?.streams.first?.paths.last?.twin?.shift == 103)
    }

    @Test(
        "An encoder that opens its connection again harms nothing, whoever is ahead and however much is lost",
        arguments: [-300, -50, 0, 50, 300] as [Int64])
    func reconnects(offset: Int64) throws {
        for (index, lost) in [(0, 0), (0, 3), (0, 30), (1, 0), (1, 3), (1, 30)] {
            let faults: [(TimeSpan, HotFault)] = [
                (.seconds(6), .reconnect(index, losing: lost)), (.seconds(9), .kill(1 - index, restartAfter: nil)),
            ]
            let (report, simulation) = try run(1, offset: offset, faults) { $0.span = .seconds(11) }
            expectWhole(report, 1)
            let counters = try #require(simulation.counters(of: "set-0"))
            #expect(counters[.twinMismatches] == 0 && counters[.twinsMerged] == 2, "\(index), \(lost)")
            let entrypoint = try #require(simulation.counters(of: index == 0 ? "ep-bos" : "ep-nyc"))
            #expect(entrypoint[.incarnationsRenewed] == 1)
        }
    }

    @Test("An encoder with one connection that opens it again costs one discontinuity, and nothing is delivered twice")
    func reconnectsAlone() throws {
        for lost in [0, 3, 200] {
            let faults: [(TimeSpan, HotFault)] = [
                (.seconds(5), .kill(1, restartAfter: nil)), (.seconds(7), .reconnect(0, losing: lost)),
            ]
            let (report, _) = try run(1, faults)
            #expect(report.discontinuities == 1 && report.repeated == 0 && report.wrong == 0, "\(report)")
            #expect(report.lost == UInt64(lost), "\(report)")
        }
    }

    @Test("An encoder that loses both connections costs one discontinuity, and both feeds are merged again")
    func reconnectsBoth() throws {
        for lost in [0, 3, 40] {
            let faults: [(TimeSpan, HotFault)] = [
                (.seconds(6), .reconnect(0, losing: lost)), (.milliseconds(6_020), .reconnect(1, losing: lost)),
            ]
            let (report, simulation) = try run(1, faults)
            #expect(report.discontinuities == 1 && report.repeated == 0 && report.wrong == 0, "\(report)")
            #expect(report.lost == UInt64(lost), "\(report)")
            #expect(simulation.counters(of: "set-0")?[.twinsMerged] == 2)
        }
    }

    @Test("One payload over and over is found out as well")
    func repeating() throws {
        let (report, simulation) = try run(1, offset: 50, [(.seconds(6), .repeatOne(1))])
        expectWhole(report, 1)
        #expect(simulation.counters(of: "set-0")?[.twinsDifferent] == 1)
    }
}
