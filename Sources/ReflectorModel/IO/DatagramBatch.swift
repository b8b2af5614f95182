/// Datagrams on their way out: what `transmit` fills and the socket loop empties. Each is a private header, copied into
/// the batch, and a body that stays where it lies (a ring shared by all children), so that one payload serves every
/// child. It is reused: in steady state nothing is allocated.
///
/// Bodies are borrowed: they are valid until the core that filled the batch is next called.
public struct DatagramBatch {
    public struct Entry {
        public var destination: Endpoint
        /// Which of the sender's own addresses it leaves from (`RelayNode.receive`); 0: any of the destination's
        /// family.
        public var local: UInt8
        public var headerOffset: Int32
        public var headerLength: Int32
        public var body: UnsafeRawPointer?
        public var bodyLength: Int32
        @inlinable public var length: Int { Int(headerLength) + Int(bodyLength) }

        @inlinable
        init(
            destination: Endpoint, local: UInt8, headerOffset: Int32, headerLength: Int32, body: UnsafeRawPointer?,
            bodyLength: Int32
        ) {
            self.destination = destination
            self.local = local
            self.headerOffset = headerOffset
            self.headerLength = headerLength
            self.body = body
            self.bodyLength = bodyLength
        }
    }

    /// Entries in order of sending; runs of one destination and one length become one GSO send.
    @inlinable public var entries: [Entry] { stored }
    @usableFromInline var stored: [Entry] = []
    /// Private headers and whole control datagrams.
    public let headers: UnsafeMutableRawBufferPointer
    @usableFromInline var headerUsed = 0
    /// Most datagrams in one batch.
    public let countMax: Int

    /// - Parameters:
    ///   - countMax: most datagrams.
    ///   - headers: memory for headers, owned by the caller and outliving the batch.
    public init(countMax: Int, headers: UnsafeMutableRawBufferPointer) {
        self.countMax = countMax
        self.headers = headers
        stored.reserveCapacity(countMax)
    }

    @inlinable public var isEmpty: Bool { stored.isEmpty }
    /// True when another datagram with a header of at most `headerLength` bytes fits.
    @inlinable public func hasRoom(headerLength: Int) -> Bool {
        stored.count < countMax && headerUsed + headerLength <= headers.count
    }

    public mutating func removeAll() {
        stored.removeAll(keepingCapacity: true)
        headerUsed = 0
    }

    /// Appends a datagram. `fill` writes the header in place and returns its length, at most `headerLengthMax`.
    /// The caller has asked `hasRoom` before.
    @inlinable
    public mutating func append(
        to destination: Endpoint, from local: UInt8 = 0, headerLengthMax: Int, body: UnsafeRawBufferPointer?,
        fill: (UnsafeMutableRawBufferPointer) -> Int
    ) {
        precondition(hasRoom(headerLength: headerLengthMax), "DatagramBatch: append without room")
        let slot = UnsafeMutableRawBufferPointer(rebasing: headers[headerUsed..<headerUsed + headerLengthMax])
        let used = fill(slot)
        stored.append(
            Entry(
                destination: destination, local: local, headerOffset: Int32(headerUsed), headerLength: Int32(used),
                body: body?.baseAddress, bodyLength: Int32(body?.count ?? 0)))
        headerUsed += used
    }
}
