import ReflectorModel
import RelayCore

/// What multicast on a region's LAN costs, and how fast it repairs what the LAN loses.
public struct RegionMulticastReport: Sendable {
    public var members = 0
    public var streams = 0
    /// Packets of the streams, and packets that leaders sent to groups: the first time, and again.
    public var packets: UInt64 = 0
    public var sent: UInt64 = 0
    public var sentAgain: UInt64 = 0
    /// Packets sent on the LAN to one member alone.
    public var copies: UInt64 = 0
    /// From the first sending of a packet to each further one.
    public var repairTimes: [TimeSpan] = []
    /// Bytes of control messages on the LAN over bytes of packets there, if each packet had the usual payload.
    public var controlShare = 0.0
    /// Requests for packets that left the region.
    public var requestsOutside: UInt64 = 0
    public var lost: UInt64 = 0
    public var violations: [String] = []
}

/// A steady state: every member wants every stream, the lines outside lose nothing, the LAN loses some packets.
public struct RegionMulticast {
    public var members = 8
    public var streams = 200
    public var loss = 0.01
    /// If false, each member is sent a copy of its own, for comparison.
    public var usesGroups = true
    /// Receives a line of text for each alarm and discontinuity.
    public var trace: ((String) -> Void)?
    public var seconds: Int64 = 10

    private static let packetsPerSecond: Int64 = 200
    private static let warmUp = TimeSpan.seconds(8)
    /// Bytes of a datagram with the usual payload.
    private static let datagramBytes = 1_363.0

    public init() {}

    public func run(seed: UInt64) -> RegionMulticastReport {
        var options = RegionNetwork.Options(seed: seed)
        (options.members, options.streams, options.packetsPerSecond) = (members, streams, Self.packetsPerSecond)
        options.usesGroups = usesGroups
        options.lan.loss = loss
        let network = RegionNetwork(options)
        network.trace = trace
        network.network.run(until: .zero + Self.warmUp)
        let (before, repairs) = (network.lan.totals, network.lan.repairTimes.count)
        let missing = Self.missing(network)
        let numbers = (0..<streams).reduce(0) { $0 + network.newest($1) }
        network.network.run(until: .zero + Self.warmUp + .seconds(seconds))
        let after = network.lan.totals
        var report = RegionMulticastReport()
        (report.members, report.streams) = (members, streams)
        report.packets = (0..<streams).reduce(0) { $0 + network.newest($1) } - numbers
        report.sent = after.first - before.first
        report.sentAgain = after.again - before.again
        report.copies = after.copies - before.copies
        report.repairTimes = Array(network.lan.repairTimes[repairs...])
        let data = Double(report.sent + report.sentAgain + report.copies) * Self.datagramBytes
        report.controlShare = Double(after.controlBytes - before.controlBytes) / data
        report.requestsOutside = after.requestsOutside - before.requestsOutside
        report.lost = Self.missing(network) - missing
        RegionChecks(network).checkFlow()
        report.violations = network.invariants.violations.map(\.text) + problems(report)
        return report
    }

    private static func missing(_ network: RegionNetwork) -> UInt64 {
        network.receivers.compactMap { $0 }.flatMap(\.receipts).reduce(0) { $0 + $1.missing }
    }

    private func problems(_ report: RegionMulticastReport) -> [String] {
        var problems: [String] = []
        func demand(_ isMet: Bool, _ text: String) { if !isMet { problems.append(text) } }
        demand(report.lost == 0, "\(report.lost) packets lost")
        demand(
            !usesGroups || Double(report.copies) < Double(report.packets) * 0.01,
            "\(report.copies) copies sent to single members")
        demand(report.controlShare < 0.01, "control messages are \(report.controlShare * 100) % of the data")
        demand(report.requestsOutside == 0, "\(report.requestsOutside) requests left the region")
        let sorted = report.repairTimes.sorted()
        if !sorted.isEmpty, sorted[sorted.count * 99 / 100] >= .milliseconds(25) {
            problems.append("one repair of a hundred takes \(sorted[sorted.count * 99 / 100].milliseconds) ms")
        }
        return problems
    }
}
