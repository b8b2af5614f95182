import Foundation

/// The compared transports.
enum Transport: String, Codable, CaseIterable {
    case srt
    case rist
    case ours
}

/// Result of one run of one transport, a line of the results file.
struct DeliveryReport: Codable {
    var transport: Transport
    /// Latency of SRT, buffer of RIST, play-out deadline of ours.
    var milliseconds: Int
    /// Condition of the link.
    var lossPercent: Double
    var burst: Double
    var jitterMilliseconds: Double
    /// Hops between encoder and edge; more than one only without impairment.
    var hops: Int
    /// Expected packets, over all receivers.
    var packets: Int
    /// Expected packets that did not arrive.
    var missing: Int
    var duplicates: Int
    var outOfOrder: Int
    /// Packets on the impaired link beyond those of the stream, in per cent of the stream's.
    var overheadPercent: Double?
    /// Delay of first arrivals at the receiver, in milliseconds.
    var delayMedian: Double
    var delay999: Double
    /// Longest time without a packet.
    var gapMax: Double
    /// Longest delay of the feed: the machine's effect on the measurement.
    var stallMax: Double
    /// From our own counters: packets lost, repaired, and requested.
    var counters: [String: UInt64]
}
