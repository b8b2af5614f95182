import ArgumentParser
import Glibc
import ReflectorModel
import ReflectorSimulation

/// `reflector simulate thundering-herd`: a set reflector dies, and all its regions move to its neighbours at once.
struct SimulateThunderingHerd: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "thundering-herd",
        abstract: "Let a set reflector die: all its regions move to the others at once.",
        discussion: """
            Four set reflectors serve 1,000 edge regions each, two streams a region at 5 packets of 1,316 bytes a second. \
            The outgoing line of each carries 1.5 times its live packets, and drops a datagram that would wait longer than \
            30 ms. The set reflectors know this rate as their --capacity. Then one dies. Its 1,000 regions notice within \
            half a second, subscribe at their n2 and request the packets that they missed. With four set reflectors, each \
            of the three others gets 1.33 times its live packets, which leaves room for the rest. With --sets 3 it is 1.5 \
            times, and no room is left.

            Nothing may be lost, neither by the regions that kept their parent nor by those that moved. Live packets go \
            first; retransmits, resumes and prebursts share the rest of the capacity, in this order. With --undeclared \
            the set reflectors do not know their capacity, and packets are lost.

            Exit status: 0 every requirement holds, 1 one does not (it is printed), 2 wrong usage.

            Examples:
              reflector simulate thundering-herd
              reflector simulate thundering-herd --edges 100 --queue 20 --undeclared
            """)

    @Option(help: "Set reflectors, of which one dies.")
    var sets = 4

    @Option(help: "Edge regions of each.")
    var edges = 1_000

    @Option(help: "Streams in all.")
    var streams = 200

    @Option(help: "Streams that each region's viewers want.")
    var perEdge = 2

    @Option(help: "Capacity of a set reflector, as a multiple of its live rate before the death.")
    var headroom = 1.5

    @Option(help: "Most milliseconds that a datagram waits for the line; one that would wait longer is dropped.")
    var queue: Int64 = 30

    @Flag(help: "Do not tell the set reflectors their capacity.")
    var undeclared = false

    @Option(help: "Seed.")
    var seed: UInt64 = 1

    func validate() throws {
        guard (3...16).contains(sets), (1...2_000).contains(edges), (1...2_000).contains(streams),
            (1...50).contains(perEdge), perEdge <= streams, (1...10).contains(headroom), (1...10_000).contains(queue)
        else { throw ValidationError("a figure is out of range") }
    }

    func run() throws {
        var options = ThunderingHerdOptions()
        options.sets = sets
        options.edgesPerSet = edges
        options.streams = streams
        options.streamsPerEdge = perEdge
        options.headroom = headroom
        options.queue = .milliseconds(queue)
        options.declaresCapacity = !undeclared
        options.seed = seed
        let report = ThunderingHerdSimulation(options).run()
        func megabits(_ bits: Int) -> String { "\((Double(bits) / 1e5).rounded() / 10) Mbit/s" }
        print(
            "\(sets) set reflectors, \(edges) regions each, live \(megabits(options.liveBitsPerSecond)), "
                + "capacity \(megabits(report.capacity)); one dies, the others get "
                + "\(megabits(options.liveBitsPerSecond * sets / (sets - 1))) live")
        for (name, flows) in [("stayed", report.stayed), ("moved", report.moved)] {
            print(
                "\(name): \(flows.count) streams of regions, delivered \(flows.delivered), lost \(flows.lost), "
                    + "twice or out of order \(flows.wrong), longest gap \(flows.gapMax.milliseconds) ms "
                    + "(median \(flows.gapMedian.milliseconds)), longest delay "
                    + "\(flows.delayMax.milliseconds) ms, not served at the end \(flows.unserved)")
        }
        let share = (1_000 * Double(report.busiestSecond) / Double(report.capacity)).rounded() / 10
        print(
            "lines: \(report.dropped) datagrams dropped, longest wait \(report.waitMax.milliseconds) ms, "
                + "busiest second \(share) % of the capacity")
        print(
            "set reflectors: at most \(report.linksMax) links, \(report.queuedMax) packets queued, "
                + "\(report.timersMax) timers; \(report.backlogSent) packets of backlog, "
                + "\(report.refusedBusy) subscriptions refused as busy; \(report.tablesFull) entries rejected by full tables"
        )
        print(
            "all served " + (report.allServedAfter.map { "\($0.milliseconds) ms after the death" } ?? "never")
                + "; \(report.events) events; digest " + String(report.digest, radix: 16))
        for problem in report.problems { print("violated: \(problem)") }
        if !report.problems.isEmpty { throw ExitCode(1) }
    }
}
