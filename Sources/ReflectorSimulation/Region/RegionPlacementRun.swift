import ReflectorModel
import RelayCore

/// How the slots of many streams spread over the members of a set region, and what moves when a member dies, joins and
/// leaves.
///
/// ```
/// |── 22 s ──|kill|── 3 s ──|start|── 45 s ──|SIGTERM|── 3 s ──|
/// ```
public struct RegionPlacementRun {
    public struct Figure: Sendable {
        public var name: String
        public var value: Double
        public var most: Double
        public var isMet: Bool { value <= most }
    }

    public var seed: UInt64
    public var members = 8
    public var streams = 200
    public var packetsPerSecond: Int64 = 10
    public var trace: ((String) -> Void)?

    public init(seed: UInt64) { self.seed = seed }

    public func run() -> [Figure] {
        var options = RegionNetwork.Options(seed: seed)
        (options.streams, options.packetsPerSecond) = (streams, packetsPerSecond)
        options.setRegions = [members]
        options.edgeRegions = Array(repeating: 1, count: members)
        let network = RegionNetwork(options)
        network.trace = trace
        let region = network.regions.count - 1
        let mean = Double(streams) / Double(members)
        let share = 100.0 / Double(members) + 5
        func leaders() -> [Int?] { (0..<streams).map { network.leaders(of: $0, in: region).first } }
        func load(_ leaders: [Int?]) -> Double {
            let counts = network.regions[region].map { member in leaders.count { $0 == member } }
            return Double(counts.max() ?? 0)
        }
        func moved(_ a: [Int?], _ b: [Int?], besides host: Int? = nil) -> Double {
            Double(zip(a, b).count { $0 != $1 && ($0 != host || host == nil) })
        }

        network.network.run(until: .zero + .seconds(22))
        let steady = leaders()
        let copies = (0..<streams).map { network.fetchers(of: $0, in: region).count }

        let victim = network.regions[region][0]
        network.schedule(.kill(victim), at: network.now)
        network.network.run(until: network.now + .seconds(3))
        let dead = leaders()
        network.schedule(.start(victim), at: network.now)
        network.network.run(until: network.now + .seconds(45))
        let joined = leaders()
        let leaving = network.regions[region][1]
        network.schedule(.terminate(leaving), at: network.now)
        network.network.run(until: network.now + .seconds(3))
        let left = leaders()
        let alive = Double(members - 1)
        return [
            Figure(name: "most streams of one member, of the mean", value: load(steady) / mean, most: 1.25),
            Figure(name: "streams without a leader", value: Double(steady.count { $0 == nil }), most: 0),
            Figure(name: "copies of a stream from outside, most", value: Double(copies.max() ?? 0), most: 1),
            Figure(name: "streams without a copy", value: Double(copies.count { $0 == 0 }), most: 0),
            Figure(name: "a death moves others' streams", value: moved(steady, dead, besides: victim), most: 0),
            Figure(
                name: "most streams after the death, of the mean", value: load(dead) / (Double(streams) / alive),
                most: 1.25),
            Figure(name: "a join moves, %", value: 100 * moved(dead, joined) / Double(streams), most: share),
            Figure(
                name: "most streams after the join, of the mean", value: load(joined) / mean,
                most: 1.25),
            Figure(name: "a leave moves, %", value: 100 * moved(joined, left) / Double(streams), most: share),
            Figure(name: "a leave moves others' streams", value: moved(joined, left, besides: leaving), most: 0),
            Figure(name: "packets lost at edges", value: Double(RegionRunReport(network).lost), most: 0),
        ]
    }
}
