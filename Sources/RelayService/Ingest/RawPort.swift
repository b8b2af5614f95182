import ReflectorModel

extension IngestConfiguration {
    /// A port for one stream: `live/news=127.0.0.1:7001`, or over UDP a multicast group to join:
    /// `live/news=239.1.2.3:5000,interface=eth1,source=192.0.2.7`.
    public struct RawPort: Hashable, Sendable {
        public var stream: StreamName
        public var listen: Endpoint
        /// Interface on which to join a group; nil means the one that the routing table picks.
        public var interface: String?
        /// The only sender whose datagrams are accepted; nil means any allowed sender.
        public var source: IPAddress?

        public init(stream: StreamName, listen: Endpoint) {
            self.stream = stream
            self.listen = listen
        }

        /// Reads `STREAM=ADDRESS:PORT`, optionally followed by `,interface=NAME` and `,source=ADDRESS`. Nil for
        /// anything else.
        public init?(_ text: String) {
            guard let (stream, value) = splitAssignment(text) else { return nil }
            let parts = value.split(separator: ",", omittingEmptySubsequences: false)
            guard let first = parts.first, let listen = Endpoint(first) else { return nil }
            self.init(stream: stream, listen: listen)
            for part in parts.dropFirst() {
                let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                switch (pair.first, pair.count) {
                case ("interface", 2) where interface == nil && !pair[1].isEmpty: interface = String(pair[1])
                case ("source", 2) where source == nil:
                    guard let address = IPAddress(pair[1]), address.isV4 == listen.address.isV4 else { return nil }
                    source = address
                default: return nil
                }
            }
        }

        /// True if the address is a multicast group (224.0.0.0/4, ff00::/8).
        public var isGroup: Bool { listen.address.isMulticast }
    }
}
