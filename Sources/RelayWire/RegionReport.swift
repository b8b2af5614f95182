import ReflectorModel

/// What a member of a region says to each other one, at short intervals and at once on a change: which streams its
/// viewers want, which slots it leads, and what it holds of each stream. It is also the member's sign of life.
public struct RegionReport: Sendable, Equatable {
    public struct Entry: Sendable, Equatable {
        public var stream: StreamName
        /// The member's viewers want the stream.
        public var isWanted: Bool
        /// The slots that the member leads: bit k − 1 for leader k.
        public var slots: UInt8
        /// The member asks others to lead: it cannot reach the stream's parents, or leads too much.
        public var isYielding: Bool
        /// The incarnation that the member holds packets of; nil if it holds none.
        public var held: IncarnationTag?
        /// The highest number held, as of some moment ago; `none` if none is.
        public var highest: SequenceNumber
        /// The member says nothing about the stream any more. Only in a list of what has changed, and then all other
        /// fields are empty.
        public var isWithdrawn: Bool

        public static let slotsMask: UInt8 = 0b111

        public init(
            stream: StreamName, isWanted: Bool = false, slots: UInt8 = 0, isYielding: Bool = false,
            held: IncarnationTag? = nil, highest: SequenceNumber = .none, isWithdrawn: Bool = false
        ) {
            self.stream = stream
            self.isWanted = isWanted
            self.slots = slots
            self.isYielding = isYielding
            self.held = held
            self.highest = highest
            self.isWithdrawn = isWithdrawn
        }

        /// The member says nothing about the stream any more.
        public static func withdrawn(_ stream: StreamName) -> Entry { Entry(stream: stream, isWithdrawn: true) }

        /// Whether the member leads slot `k`, from 1.
        public func leads(_ k: Int) -> Bool { slots & (1 << UInt8(k - 1)) != 0 }
    }

    /// A page of the member's list.
    public struct Page: Sendable, Equatable {
        public var header: PageHeader
        public var entries: [Entry]

        public init(_ header: PageHeader, entries: [Entry]) {
            self.header = header
            self.entries = entries
        }
    }

    /// The member is about to stop: others take its slots.
    public var isLeaving: Bool
    /// The member has been in the region for long enough to take slots.
    public var isSettled: Bool
    /// The member takes streams from multicast groups of the LAN.
    public var isOnLAN: Bool
    /// The member should take no slots: a short time ago no parent outside answered it, or it slept.
    public var isCutOff: Bool
    /// The version of the receiver's list that the sender holds; 0 for none.
    public var versionHeld: UInt64
    /// Nil if the receiver holds the newest version.
    public var page: Page?

    public init(
        isLeaving: Bool, isSettled: Bool, isOnLAN: Bool = false, isCutOff: Bool = false, versionHeld: UInt64,
        page: Page? = nil
    ) {
        self.isLeaving = isLeaving
        self.isSettled = isSettled
        self.isOnLAN = isOnLAN
        self.isCutOff = isCutOff
        self.versionHeld = versionHeld
        self.page = page
    }

    /// A list, or what has changed in it since the version `base`, in pages of one datagram each.
    public static func pages(version: UInt64, base: UInt64 = 0, of entries: [Entry]) -> [Page] {
        Paging.messages(
            version: version, base: base, of: entries, head: headLength, bytes: { 18 + $0.stream.text.utf8.count }
        ) { Page($0, entries: $1) }
    }

    /// Flags and the version held.
    private static let headLength = 9
}

// MARK: To and from bytes (WireFormat.md, "Control")

extension RegionReport {
    private static let leavingFlag: UInt8 = 1
    private static let settledFlag: UInt8 = 2
    private static let pageFlag: UInt8 = 4
    private static let lanFlag: UInt8 = 8
    private static let cutOffFlag: UInt8 = 16
    private static let knownFlags = leavingFlag | settledFlag | pageFlag | lanFlag | cutOffFlag

    init(_ reader: inout WireReader) throws(WireError) {
        let flags = try reader.read(UInt8.self)
        guard flags & ~Self.knownFlags == 0 else { throw .unknownValue }
        isLeaving = flags & Self.leavingFlag != 0
        isSettled = flags & Self.settledFlag != 0
        isOnLAN = flags & Self.lanFlag != 0
        isCutOff = flags & Self.cutOffFlag != 0
        versionHeld = try reader.read()
        page = flags & Self.pageFlag != 0 ? try Page(&reader) : nil
    }

    func write(_ writer: inout WireWriter) {
        writer.write(
            (isLeaving ? Self.leavingFlag : 0) | (isSettled ? Self.settledFlag : 0) | (page != nil ? Self.pageFlag : 0)
                | (isOnLAN ? Self.lanFlag : 0) | (isCutOff ? Self.cutOffFlag : 0))
        writer.write(versionHeld)
        guard let page else { return }
        page.header.write(&writer)
        writer.writeCount(page.entries.count, max: Int(UInt8.max))
        for entry in page.entries { entry.write(&writer) }
    }
}

extension RegionReport.Page {
    init(_ reader: inout WireReader) throws(WireError) {
        header = try PageHeader(&reader)
        let count = try reader.read(UInt8.self)
        entries = []
        entries.reserveCapacity(Int(count))
        for _ in 0..<count {
            let entry = try RegionReport.Entry(&reader)
            guard !entry.isWithdrawn || header.isPartial else { throw .unknownValue }
            entries.append(entry)
        }
    }
}

extension RegionReport.Entry {
    private static let wantedFlag: UInt8 = 8
    private static let yieldingFlag: UInt8 = 16
    private static let withdrawnFlag: UInt8 = 32

    init(_ reader: inout WireReader) throws(WireError) {
        let flags = try reader.read(UInt8.self)
        let tag = try reader.read(UInt64.self)
        let sequence = try reader.readSequence()
        let isWithdrawn = flags == Self.withdrawnFlag
        guard flags < Self.withdrawnFlag || isWithdrawn && tag == 0, tag != 0 || sequence == .none else {
            throw .unknownValue
        }
        self.init(
            stream: try reader.readStreamName(), isWanted: flags & Self.wantedFlag != 0,
            slots: flags & Self.slotsMask, isYielding: flags & Self.yieldingFlag != 0,
            held: tag == 0 ? nil : IncarnationTag(tag), highest: sequence, isWithdrawn: isWithdrawn)
    }

    func write(_ writer: inout WireWriter) {
        let flags =
            slots & Self.slotsMask | (isWanted ? Self.wantedFlag : 0) | (isYielding ? Self.yieldingFlag : 0)
        writer.write(isWithdrawn ? Self.withdrawnFlag : flags)
        writer.write(isWithdrawn ? 0 : held?.rawValue ?? 0)
        writer.writeSequence(isWithdrawn || held == nil ? .none : highest)
        writer.writeName(stream.text)
    }
}
