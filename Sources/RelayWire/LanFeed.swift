import ReflectorModel

/// What a parent says to a child on the same LAN: from which multicast group the child may take a stream.
///
/// Datagrams of the group look like those of a link. Their token is the feed's own, and their link packet numbers count
/// the packets of this feed alone.
public struct LanFeed: Sendable, Equatable {
    /// Where a feed is.
    public struct Place: Sendable, Hashable {
        /// Of the feed; not 0. Another one after each restart of the parent, and for each stream.
        public var token: UInt64
        /// A multicast address and a port.
        public var group: Endpoint

        public init(token: UInt64, group: Endpoint) {
            self.token = token
            self.group = group
        }
    }

    /// The child's id of its subscription on this link.
    public var subscription: UInt32
    /// Nil if the parent sends the stream to no group, or not any more.
    public var place: Place?

    public init(subscription: UInt32, place: Place?) {
        self.subscription = subscription
        self.place = place
    }
}

// MARK: To and from bytes (WireFormat.md, "Control")

extension LanFeed {
    init(_ reader: inout WireReader) throws(WireError) {
        subscription = try reader.read()
        let token = try reader.read(UInt64.self)
        guard token != 0 else {
            try reader.readZeros(count: 18)
            place = nil
            return
        }
        let address = IPAddress(high: try reader.read(), low: try reader.read())
        let port = try reader.read(UInt16.self)
        guard address.isMulticast, port != 0 else { throw .unknownValue }
        place = Place(token: token, group: Endpoint(address: address, port: port))
    }

    func write(_ writer: inout WireWriter) {
        writer.write(subscription)
        guard let place else { return writer.writeZeros(count: 26) }
        writer.write(place.token)
        writer.write(place.group.address.high)
        writer.write(place.group.address.low)
        writer.write(place.group.port)
    }
}
