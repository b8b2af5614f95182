import Foundation

/// The transports that are compared.
enum Transport: String, Codable, CaseIterable {
    case srt
    case rist
    case ours
}

/// What one run of one transport gave, a line of the results file.
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
    /// Packets that should have come, over all receivers.
    var packets: Int
    /// Of those, how many did not.
    var missing: Int
    var duplicates: Int
    var outOfOrder: Int
    /// Packets put on the impaired link over those of the stream, in per cent.
    var overheadPercent: Double?
    /// Of first arrivals at the receiver, in milliseconds.
    var delayMedian: Double
    var delay999: Double
    /// Longest time without a packet.
    var gapMax: Double
    /// Longest time by which the feed was held up: what the machine did to the measurement.
    var stallMax: Double
    /// From our own counters: packets given up, repaired, and numbers asked for.
    var counters: [String: UInt64]
}
