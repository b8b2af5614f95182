import DNSAnswers
import ReflectorModel
import RelayWire
import Testing

@testable import DNSService

typealias ZoneContentHealth = ZoneContent.Health

@Suite("The prober judges set reflectors")
struct ProberTests {
    @Test("Who answers is alive within a second; who does not is dead within a second too")
    func warmUp() {
        let network = ProbedNetwork(count: 4)
        network.kill(network.targets[3])
        network.run(for: .seconds(1))
        #expect(network.targets.map { network.state($0) } == [.alive, .alive, .alive, .dead])
        #expect(!network.isFrozen)
    }

    @Test(
        "A killed node and a stopped one are dead within 2 s, whenever it happens",
        arguments: 1...40 as ClosedRange<UInt64>)
    func death(seed: UInt64) throws {
        let network = ProbedNetwork(count: 5, seed: seed)
        network.run(for: .milliseconds(3_000 + Int64(seed) * 37))
        let start = network.now
        let victim = network.targets[1]
        if seed.isMultiple(of: 2) { network.kill(victim) } else { network.stopped.insert(victim) }
        network.run(for: .seconds(2))
        let died = try #require(network.reports.first { $0.report.health[victim] == .dead }, "seed \(seed)")
        #expect(died.at - start <= .milliseconds(1_700), "seed \(seed)")
        #expect(network.targets.filter { network.state($0) == .dead } == [victim], "seed \(seed)")
    }

    @Test("One that can be reached by one of its families only is alive, and is asked there first from then on")
    func oneFamilyDead() {
        let network = ProbedNetwork(count: 3, hasBoth: true)
        network.run(for: .seconds(3))
        let turned = network.targets[1]
        network.turn(turned)
        network.run(for: .seconds(20))
        #expect(network.targets.allSatisfy { network.state($0) == .alive })
        #expect(!network.reports.contains { $0.report.health[turned] == .dead })
        // A round that begins at the wrong address costs a second try; the others cost one.
        let sent = network.counters.sent
        network.run(for: .seconds(8))
        #expect(network.counters.sent - sent < 60)
        #expect(network.counters.missed == 0)
    }

    @Test("It returns after 10 s of steady answers, and only after longer ones the more often it dies")
    func steadiness() {
        let network = ProbedNetwork(count: 5)
        network.run(for: .seconds(5))
        let victim = network.targets[0]
        for (deaths, span) in [(1, 10), (2, 20), (3, 40)] {
            network.kill(victim)
            network.run(for: .seconds(4))
            #expect(network.state(victim) == .dead)
            network.start(victim)
            network.run(for: .seconds(Int64(span) - 1))
            #expect(network.state(victim) == .dead, "death \(deaths)")
            network.run(for: .seconds(3))
            #expect(network.state(victim) == .alive, "death \(deaths)")
        }
    }

    @Test("One that comes and goes stays out")
    func flapping() {
        let network = ProbedNetwork(count: 5)
        network.run(for: .seconds(5))
        let victim = network.targets[0]
        for _ in 0..<20 {
            network.kill(victim)
            network.run(for: .seconds(3))
            network.start(victim)
            network.run(for: .seconds(6))
        }
        let changes = network.reports.filter { $0.at > MonotonicInstant(nanoseconds: 5_000_000_000) }
        #expect(changes.count == 1, "dead once, and never back")
    }

    @Test(
        "A prober that is cut off enters panic mode: all keep their state until most answer, also those just declared dead"
    )
    func cutOff() {
        let network = ProbedNetwork(count: 8)
        network.run(for: .seconds(5))
        network.isCutOff = true
        network.run(for: .seconds(4))
        #expect(network.isFrozen)
        #expect(network.targets.allSatisfy { network.state($0) == .alive })
        #expect(network.reports.last?.report.probing == .frozen(silent: 5, targets: 8))
        network.run(for: .seconds(600))
        #expect(network.isFrozen && network.targets.allSatisfy { network.state($0) == .alive })
        network.isCutOff = false
        network.kill(network.targets[7])
        network.run(for: .seconds(4))
        #expect(!network.isFrozen)
        #expect(network.targets.map { network.state($0) } == Array(repeating: .alive, count: 7) + [.dead])
    }

    @Test("Half of the targets may die at once and are believed dead; one more and nobody is")
    func halfDead() {
        let network = ProbedNetwork(count: 6)
        network.run(for: .seconds(5))
        for target in network.targets[..<3] { network.kill(target) }
        network.run(for: .seconds(3))
        #expect(!network.isFrozen)
        #expect(network.targets.map { network.state($0) == .dead } == [true, true, true, false, false, false])
        network.kill(network.targets[3])
        network.run(for: .seconds(3))
        #expect(network.isFrozen)
        #expect(network.targets.allSatisfy { network.state($0) == .alive }, "as before these deaths")
    }

    @Test("Deaths far apart are believed, all of them")
    func slowDeath() {
        let network = ProbedNetwork(count: 3)
        network.run(for: .seconds(5))
        for target in network.targets {
            network.kill(target)
            network.run(for: .seconds(15))
        }
        #expect(!network.isFrozen)
        #expect(network.targets.allSatisfy { network.state($0) == .dead })
    }

    @Test("A network that starts after its name server is believed as files say, until it is there")
    func lateNetwork() {
        let network = ProbedNetwork(count: 4)
        for target in network.targets { network.kill(target) }
        network.run(for: .seconds(30))
        #expect(!network.isFrozen && network.reports.allSatisfy { $0.report.probing == .on }, "that is no panic mode")
        #expect(network.targets.allSatisfy { network.state($0) == .unprobed })
        for target in network.targets { network.start(target) }
        network.run(for: .seconds(4))
        #expect(!network.isFrozen && network.targets.allSatisfy { network.state($0) == .alive })
    }

    @Test(
        "Of a network that is only half there, who answers is alive and may die; most have to be there for the rest to be dead"
    )
    func partialNetwork() {
        let network = ProbedNetwork(count: 4)
        for target in network.targets[1...] { network.kill(target) }
        network.run(for: .seconds(20))
        #expect(!network.isFrozen)
        #expect(network.targets.map { network.state($0) } == [.alive, .unprobed, .unprobed, .unprobed])
        network.kill(network.targets[0])
        network.run(for: .seconds(5))
        #expect(network.state(network.targets[0]) == .dead)
        for target in network.targets[..<3] { network.start(target) }
        network.run(for: .seconds(20))
        #expect(network.targets.map { network.state($0) } == [.alive, .alive, .alive, .dead])
    }

    @Test("A node that restarts between two probes is noticed")
    func restart() {
        let network = ProbedNetwork(count: 3)
        network.run(for: .seconds(5))
        for _ in 0..<20 {
            network.start(network.targets[0])
            network.run(for: .milliseconds(1_530))
        }
        #expect(network.reports.allSatisfy { $0.report.health[network.targets[0]] != .dead })
    }

    @Test("One datagram in ten lost kills nobody", arguments: 1...10 as ClosedRange<UInt64>)
    func lossyPath(seed: UInt64) {
        let network = ProbedNetwork(count: 3, seed: seed)
        network.run(for: .seconds(5))
        network.lossPercent = 1
        network.run(for: .seconds(60))
        #expect(network.targets.allSatisfy { network.state($0) == .alive }, "seed \(seed)")
    }

    @Test("The prober's own pause kills nobody")
    func ownPause() {
        let network = ProbedNetwork(count: 3)
        network.run(for: .seconds(5))
        for _ in 0..<10 {
            network.pause(for: .seconds(5))
            network.run(for: .seconds(3))
        }
        #expect(network.targets.allSatisfy { network.state($0) == .alive })
        #expect(network.counters.lateWakeups >= 10)
    }

    @Test("Without the network key nobody answers")
    func wrongKey() {
        let network = ProbedNetwork(count: 3, proberKey: 0xbad)
        network.run(for: .seconds(5))
        #expect(network.counters.answered == 0 && !network.isFrozen)
        #expect(network.targets.allSatisfy { network.state($0) == .unprobed })
    }

    @Test("The cost is constant: under four datagrams a second and target, both ways")
    func cost() {
        let network = ProbedNetwork(count: 10)
        network.run(for: .seconds(100))
        #expect(network.datagrams < 10 * 100 * 4)
    }
}

@Suite("The monitor of loss")
struct LossMonitorTests {
    private static func run(_ monitor: inout LossMonitor, loss: Double, seconds: Int, from start: Int) {
        for second in start..<start + seconds {
            var report = ProbeReport(
                keyPhase: 0, node: NodeID(1), nonce: HandshakeNonce(high: 0, low: 0), number: 0)
            report.uptimeMilliseconds = UInt64(second) * 1_000
            report.received = UInt64(second) * 1_000
            report.lost = UInt64(Double(second - start) * 1_000 * loss)
            monitor.take(report, at: MonotonicInstant(nanoseconds: Int64(second) * 1_000_000_000))
        }
    }

    @Test("The share falls by halves while loss lasts, down to an eighth, and rises a step a minute")
    func steps() {
        var monitor = LossMonitor()
        Self.run(&monitor, loss: 0, seconds: 30, from: 1)
        #expect(monitor.share == 16)
        Self.run(&monitor, loss: 0.2, seconds: 16, from: 31)
        #expect(monitor.share < 16)
        Self.run(&monitor, loss: 0.2, seconds: 100, from: 47)
        #expect(monitor.share == 2)
        Self.run(&monitor, loss: 0, seconds: 55, from: 147)
        #expect(monitor.share <= 4, "slowly")
        Self.run(&monitor, loss: 0, seconds: 300, from: 202)
        #expect(monitor.share == 16)
    }

    @Test("Counts near 2⁶⁴, which no node can have come to, say nothing and stop nothing")
    func nonsense() {
        var monitor = LossMonitor()
        Self.run(&monitor, loss: 0, seconds: 30, from: 1)
        for (second, number) in [UInt64.max, UInt64.max - 1, 1 << 63, 1 << 62, 0, .max].enumerated() {
            var report = ProbeReport(
                keyPhase: 0, node: NodeID(1), nonce: HandshakeNonce(high: 0, low: 0), number: 0)
            report.uptimeMilliseconds = .max
            report.received = number
            report.lost = .max
            monitor.take(report, at: MonotonicInstant(nanoseconds: Int64(40 + 10 * second) * 1_000_000_000))
        }
        #expect(monitor.share == 16)
    }

    @Test("A little loss changes nothing, and neither does a report from another life")
    func steadiness() {
        var monitor = LossMonitor()
        Self.run(&monitor, loss: 0.03, seconds: 200, from: 1_000)
        #expect(monitor.share == 16)
        Self.run(&monitor, loss: 0, seconds: 20, from: 1)
        #expect(monitor.share == 16)
    }
}
