/// Outgoing datagrams: `transmit` adds them and the socket loop sends them. Each datagram has a header of its own,
/// which is written into the batch. Its body stays in a ring that all children share, so one copy of a payload serves
/// every child. The batch is reused: in steady state nothing is allocated.
///
/// Bodies are borrowed: they are valid until the next call to the core that filled the batch.
public struct DatagramBatch {
    public struct Entry {
        public var destination: Endpoint
        /// The number of the sender's own address to use as the source (see `RelayNode.receive`). With 0, the source is
        /// any address of the destination's family.
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

    /// Entries in sending order. Consecutive entries with the same destination and length become one GSO send.
    @inlinable public var entries: [Entry] { stored }
    @usableFromInline var stored: [Entry] = []
    /// The headers of datagrams with a body, and whole control datagrams.
    public let headers: UnsafeMutableRawBufferPointer
    @usableFromInline var headerUsed = 0
    /// Maximum number of datagrams in one batch.
    public let countMax: Int

    /// - Parameters:
    ///   - countMax: maximum number of datagrams.
    ///   - headers: memory for headers, owned by the caller; it must outlive the batch.
    public init(countMax: Int, headers: UnsafeMutableRawBufferPointer) {
        self.countMax = countMax
        self.headers = headers
        stored.reserveCapacity(countMax)
    }

    @inlinable public var isEmpty: Bool { stored.isEmpty }
    /// True if another datagram with a header of at most `headerLength` bytes fits.
    @inlinable public func hasRoom(headerLength: Int) -> Bool {
        stored.count < countMax && headerUsed + headerLength <= headers.count
    }

    public mutating func removeAll() {
        stored.removeAll(keepingCapacity: true)
        headerUsed = 0
    }

    /// Appends a datagram. `fill` writes the header in place and returns its length, at most `headerLengthMax`. The
    /// caller must check `hasRoom` first.
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
