import ReflectorModel
import RelayCore
import RelayWire

/// Multicast on the LANs of a `RegionNetwork`: which hosts receive which group, what was sent there, and how often a
/// packet was sent again.
struct SimulatedLAN {
    /// What was sent on the LANs, and the requests for packets that left a region.
    struct Totals {
        /// Packets to groups: the first time, and again.
        var first: UInt64 = 0
        var again: UInt64 = 0
        /// Packets to single members.
        var copies: UInt64 = 0
        var controlBytes: UInt64 = 0
        var requestsOutside: UInt64 = 0
    }

    /// A packet as one member sends it: other regions have the same packets.
    private struct Packet: Hashable {
        var tag, sequence: UInt64
        var sender: Int

        init(_ header: DataHeader, _ sender: Int) {
            (tag, sequence) = (header.tag.rawValue, header.sequence.rawValue)
            self.sender = sender
        }
    }

    private(set) var totals = Totals()
    /// From the first sending of a packet to its group to each further one, to the group or to one member.
    private(set) var repairTimes: [TimeSpan] = []
    /// The groups that each host receives.
    private var joined: [[Endpoint]]
    /// Groups are lost on their way to and from these hosts, although the LAN is well.
    private var deaf: [Int] = []
    private var firstSent: [Packet: MonotonicInstant] = [:]
    /// How often each packet was sent to its group again since that instant.
    private var sentAgain: [Packet: (count: Int, since: MonotonicInstant)] = [:]

    init(hosts: Int) { joined = Array(repeating: [], count: hosts) }

    mutating func join(_ group: Endpoint, _ host: Int) { joined[host].append(group) }
    mutating func leave(_ group: Endpoint, _ host: Int) { joined[host].removeAll { $0 == group } }
    /// The process of a host has ended.
    mutating func leaveAll(_ host: Int) { joined[host] = [] }

    mutating func setDeaf(_ host: Int, _ isDeaf: Bool) {
        deaf.removeAll { $0 == host }
        if isDeaf { deaf.append(host) }
    }

    mutating func calm() { deaf = [] }

    /// Whether what one host sends to a group reaches another one, if the LAN lets it pass.
    func reaches(_ host: Int, from sender: Int, _ group: Endpoint) -> Bool {
        host != sender && joined[host].contains(group) && !deaf.contains(host) && !deaf.contains(sender)
    }

    /// A datagram from one member to another one.
    mutating func note(_ datagram: OutgoingDatagram, from sender: Int, at now: MonotonicInstant) {
        guard let header = Self.header(of: datagram) else { return totals.controlBytes += UInt64(datagram.length) }
        totals.copies += 1
        if header.retransmitted, let first = firstSent[Packet(header, sender)] { repairTimes.append(now - first) }
    }

    /// A datagram to a group. Returns how often the packet was sent again within 10 ms.
    mutating func noteGrouped(_ datagram: OutgoingDatagram, from sender: Int, at now: MonotonicInstant) -> Int {
        guard let header = Self.header(of: datagram) else { return 0 }
        let packet = Packet(header, sender)
        guard header.retransmitted else {
            firstSent[packet] = now
            totals.first += 1
            return 0
        }
        totals.again += 1
        if let first = firstSent[packet] { repairTimes.append(now - first) }
        var again = sentAgain[packet] ?? (0, now)
        if now - again.since >= .milliseconds(10) { again = (0, now) }
        again.count += 1
        sentAgain[packet] = again
        return again.count
    }

    /// A datagram from a member to a host outside its region.
    mutating func noteOutside(_ datagram: OutgoingDatagram) {
        let isNak = datagram.bytes.withUnsafeBytes { bytes in
            bytes.first == 0x20 && bytes.count >= WireLimits.controlHeaderLength && ControlCodec.isNak(bytes)
        }
        if isNak { totals.requestsOutside += 1 }
    }

    /// The header of a packet; nil for a control message.
    private static func header(of datagram: OutgoingDatagram) -> DataHeader? {
        datagram.bytes.withUnsafeBytes { try? DataHeader(parsing: $0) }
    }
}
