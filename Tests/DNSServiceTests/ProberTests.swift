import DNSAnswers
import NodeIdentity
import ReflectorModel
import ReflectorSimulation
import RelayWire
import Testing

@testable import DNSService

typealias ZoneContentHealth = ZoneContent.Health

@Suite("The prober detects the health of set reflectors")
struct ProberTests {
    @Test("A target that answers is alive within a second; one that does not is dead within a second")
    func warmUp() {
        let network = ProbedNetwork(count: 4)
        network.kill(network.targets[3])
        network.run(for: .seconds(1))
        #expect(network.targets.map { network.state($0) } == [.alive, .alive, .alive, .dead])
        #expect(!network.isFrozen)
    }

    @Test(
        "A node that is killed or stopped is dead within 2 s, whenever it happens",
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

    @Test("A target reachable over only one family is alive, and is then probed there first")
    func oneFamilyDead() {
        let network = ProbedNetwork(count: 3, hasBoth: true)
        network.run(for: .seconds(3))
        let turned = network.targets[1]
        network.turn(turned)
        network.run(for: .seconds(20))
        #expect(network.targets.allSatisfy { network.state($0) == .alive })
        #expect(!network.reports.contains { $0.report.health[turned] == .dead })
        // A round that begins with the wrong address needs two probes, any other round one.
        let sent = network.counters.sent
        network.run(for: .seconds(8))
        #expect(network.counters.sent - sent < 60)
        #expect(network.counters.missed == 0)
    }

    @Test("A target returns after 10 s of steady answers, and later the more often it dies")
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

    @Test("A target that flaps stays out")
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
        "A cut-off prober enters panic mode: until most targets answer, all keep their state from before the deaths"
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

    @Test("If half of the targets die at once, they are dead; if one more dies, none is")
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

    @Test("Deaths far apart all count")
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

    @Test("If the network starts after its name server, the files decide until it is up")
    func lateNetwork() {
        let network = ProbedNetwork(count: 4)
        for target in network.targets { network.kill(target) }
        network.run(for: .seconds(30))
        #expect(!network.isFrozen && network.reports.allSatisfy { $0.report.probing == .on }, "this is not panic mode")
        #expect(network.targets.allSatisfy { network.state($0) == .unprobed })
        for target in network.targets { network.start(target) }
        network.run(for: .seconds(4))
        #expect(!network.isFrozen && network.targets.allSatisfy { network.state($0) == .alive })
    }

    @Test(
        "In a half-started network, targets that answer are alive and may die; the rest die once most have answered"
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

    @Test("A node that restarts between two probes is never declared dead")
    func restart() {
        let network = ProbedNetwork(count: 3)
        network.run(for: .seconds(5))
        for _ in 0..<20 {
            network.start(network.targets[0])
            network.run(for: .milliseconds(1_530))
        }
        #expect(network.reports.allSatisfy { $0.report.health[network.targets[0]] != .dead })
    }

    @Test("Loss of one datagram in a hundred makes no target dead", arguments: 1...10 as ClosedRange<UInt64>)
    func lossyPath(seed: UInt64) {
        let network = ProbedNetwork(count: 3, seed: seed)
        network.run(for: .seconds(5))
        network.lossPercent = 1
        network.run(for: .seconds(60))
        #expect(network.targets.allSatisfy { network.state($0) == .alive }, "seed \(seed)")
    }

    @Test("The prober's own pause makes no target dead")
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

    @Test("With a certificate of another operator no target answers, and the problem is named")
    func stranger() {
        let network = ProbedNetwork(
            count: 3, identity: SimulatedIdentity(name: "ns1", .nameServer, operatorKey: 0xbad))
        network.run(for: .seconds(5))
        #expect(network.counters.answered == 0 && network.counters.linksOpened == 0 && !network.isFrozen)
        #expect(network.targets.allSatisfy { network.state($0) == .unprobed })
        #expect(network.problems["set-1"] == .refused(.certificateUntrusted))
        #expect(network.counters.refused <= 3 * 2, "each handshake costs signatures, so there are few")
    }

    @Test("A stolen key of an edge opens links, but its probes get no answer")
    func stolenEdge() {
        let network = ProbedNetwork(
            count: 3,
            identity: SimulatedIdentity(
                name: "edge-1", .edge, .edge(RegionID(1283)), operatorKey: ProbedNetwork.operatorKey))
        network.run(for: .seconds(5))
        #expect(network.counters.answered == 0 && network.counters.linksOpened > 0)
    }

    @Test("A report counts only from the host that was asked: another node at its address is no sign of life")
    func impostor() {
        let network = ProbedNetwork(count: 5)
        network.run(for: .seconds(5))
        let victim = network.targets[1]
        network.start(victim, as: "set-3")
        network.run(for: .seconds(3))
        #expect(network.state(victim) == .dead)
        network.start(victim)
        network.run(for: .seconds(20))
        #expect(network.state(victim) == .alive)
    }

    @Test("A target whose certificate is revoked is dead within 3 s, although its link is open")
    func revoked() throws {
        let network = ProbedNetwork(count: 5)
        network.run(for: .seconds(5))
        #expect(try network.revoke([network.targets[2]]))
        network.run(for: .seconds(3))
        #expect(network.targets.map { network.state($0) == .dead } == [false, false, true, false, false])
        #expect(network.problems["set-3"] == .certificate(.revoked(sequence: 1)))
    }

    @Test("Links stay open: targets keep those that answer their heartbeats, and each round is one probe")
    func links() {
        let network = ProbedNetwork(count: 10)
        network.run(for: .seconds(5))
        let opened = network.counters.linksOpened
        #expect(opened >= 10)
        network.run(for: .seconds(600))
        #expect(network.counters.linksOpened == opened && network.counters.missed == 0)
    }

    @Test("The cost is constant: under four datagrams per second and target, both directions together")
    func cost() {
        let network = ProbedNetwork(count: 10)
        network.run(for: .seconds(100))
        #expect(network.datagrams < 10 * 100 * 4)
    }
}

@Suite("The loss monitor")
struct LossMonitorTests {
    private static func run(_ monitor: inout LossMonitor, loss: Double, seconds: Int, from start: Int) {
        for second in start..<start + seconds {
            var report = ProbeReport(number: 0)
            report.uptimeMilliseconds = UInt64(second) * 1_000
            report.received = UInt64(second) * 1_000
            report.lost = UInt64(Double(second - start) * 1_000 * loss)
            monitor.take(report, at: MonotonicInstant(nanoseconds: Int64(second) * 1_000_000_000))
        }
    }

    @Test("During loss the share is halved step by step, down to an eighth; then it rises one step per minute")
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

    @Test("Implausible counts near 2⁶⁴ have no effect and cause no trap")
    func nonsense() {
        var monitor = LossMonitor()
        Self.run(&monitor, loss: 0, seconds: 30, from: 1)
        for (second, number) in [UInt64.max, UInt64.max - 1, 1 << 63, 1 << 62, 0, .max].enumerated() {
            var report = ProbeReport(number: 0)
            report.uptimeMilliseconds = .max
            report.received = number
            report.lost = .max
            monitor.take(report, at: MonotonicInstant(nanoseconds: Int64(40 + 10 * second) * 1_000_000_000))
        }
        #expect(monitor.share == 16)
    }

    @Test("A little loss changes nothing, and neither does the first report after a restart")
    func steadiness() {
        var monitor = LossMonitor()
        Self.run(&monitor, loss: 0.03, seconds: 200, from: 1_000)
        #expect(monitor.share == 16)
        Self.run(&monitor, loss: 0, seconds: 20, from: 1)
        #expect(monitor.share == 16)
    }
}
