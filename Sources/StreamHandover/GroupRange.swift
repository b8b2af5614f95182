import ReflectorModel

/// Multicast groups for streams: `239.1.0.0/16:5000,interface=eth1`, or `[ff15::1:0/112]:5000,interface=eth1`. A fixed
/// hash of its name gives each stream its group.
public struct GroupRange: Hashable, Sendable {
    /// Groups tried after the stream's own one, if other streams use that.
    static let probesMax: UInt64 = 64

    private let range: GroupBlock
    var block: CIDRBlock { range.block }
    var port: UInt16 { range.port }
    let sending: GroupSending

    /// Reads an option; nil for anything else than a range of multicast groups with its interface.
    public init?(_ text: String) {
        guard let (place, sending) = GroupSending.split(text) else { return nil }
        guard let range = GroupBlock(place), range.port >= HandoverConfiguration.portMin else { return nil }
        self.range = range
        self.sending = sending
    }

    /// The groups for a stream, best first: the one that its name gives, and those after it.
    func groups(for stream: StreamName) -> [Endpoint] {
        let hash = FixedHash.hash(stream.text, purpose: .output)
        return (0..<min(block.count, Self.probesMax)).compactMap { probe in
            block.address(at: block.count == .max ? hash &+ probe : (hash % block.count &+ probe) % block.count)
                .map { Endpoint(address: $0, port: port) }
        }
    }

    func contains(_ endpoint: Endpoint) -> Bool { range.contains(endpoint) }
}

/// The group that the operator chose for one stream: `live/news=239.1.2.3:5000,interface=eth1`.
public struct StreamGroup: Hashable, Sendable {
    let stream: StreamName
    let endpoint: Endpoint
    let sending: GroupSending

    /// Reads an option; nil for anything else than a stream and a multicast group with its interface.
    public init?(_ text: String) {
        guard let equals = text.firstIndex(of: "="), let stream = StreamName(text[..<equals]),
            let (place, sending) = GroupSending.split(text[text.index(after: equals)...]),
            let endpoint = Endpoint(place), endpoint.address.isMulticast,
            endpoint.port >= HandoverConfiguration.portMin
        else { return nil }
        self.stream = stream
        self.endpoint = endpoint
        self.sending = sending
    }
}

/// How datagrams leave for a group: through which interface, and whether in RTP.
struct GroupSending: Hashable, Sendable {
    var interface: String
    var isRTP = false

    /// Splits `PLACE,interface=NAME[,rtp]`. The interface must be named: a machine has several, and datagrams to a
    /// group would otherwise leave through the one of the default route.
    static func split(_ text: some StringProtocol) -> (place: Substring, sending: GroupSending)? {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        var interface: String?
        var isRTP = false
        for part in parts.dropFirst() {
            if part == "rtp", !isRTP {
                isRTP = true
            } else if part.hasPrefix("interface="), interface == nil, part.utf8.count > 10 {
                interface = String(part.dropFirst(10))
            } else {
                return nil
            }
        }
        guard let place = parts.first, let interface else { return nil }
        return (Substring(place), GroupSending(interface: interface, isRTP: isRTP))
    }
}
