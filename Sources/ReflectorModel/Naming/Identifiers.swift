/// Number of a region, such as `r1283`, from 0 to 2³²−1. A region is the machines on one private LAN.
public struct RegionID: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    public var rawValue: UInt32
    @inlinable public init(_ rawValue: UInt32) { self.rawValue = rawValue }
    @inlinable public static func < (a: RegionID, b: RegionID) -> Bool { a.rawValue < b.rawValue }
    public var description: String { "r\(rawValue)" }

    /// Reads `r1283`: lower or upper case `r`, decimal, no leading zero. Nil for anything else.
    @inlinable public init?(label: some StringProtocol) {
        guard let value = decimalAfter(UInt8(ascii: "r"), label), value <= UInt64(UInt32.max) else { return nil }
        self.init(UInt32(value))
    }
}

/// Number of a portset, such as `s4096`, from 0 to 65535. A portset is a bucket of streams that the same set reflectors
/// carry ([A] §III-B).
public struct PortsetID: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    public var rawValue: UInt16
    @inlinable public init(_ rawValue: UInt16) { self.rawValue = rawValue }
    @inlinable public static func < (a: PortsetID, b: PortsetID) -> Bool { a.rawValue < b.rawValue }
    public var description: String { "s\(rawValue)" }

    /// Reads `s4096`: lower or upper case `s`, decimal, no leading zero. Nil for anything else.
    @inlinable public init?(label: some StringProtocol) {
        guard let value = decimalAfter(UInt8(ascii: "s"), label), value <= 65_535 else { return nil }
        self.init(UInt16(value))
    }
}

/// The rank of a parent from which a region fetches a copy of a stream: 1 (primary), 2 or 3 ([A] §IV-B).
public enum ParentRank: UInt8, CaseIterable, Hashable, Comparable, Sendable, CustomStringConvertible {
    case first = 1
    case second = 2
    case third = 3
    @inlinable public static func < (a: ParentRank, b: ParentRank) -> Bool { a.rawValue < b.rawValue }
    public var description: String { "n\(rawValue)" }
}

/// The id of a node on the wire: the fixed 64-bit hash of its canonical (lower-case, relative to the zone) host name.
public struct NodeID: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var rawValue: UInt64
    @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }
    public init(name: String) { self.init(FixedHash.hash(name.lowercased(), purpose: .node)) }
    @inlinable public static func < (a: NodeID, b: NodeID) -> Bool { a.rawValue < b.rawValue }
    public var description: String {
        let hex = String(rawValue, radix: 16)
        return String(repeating: "0", count: 16 - hex.count) + hex
    }
}

/// The role of a node in the tree.
public enum NodeRole: UInt8, Sendable, CustomStringConvertible {
    case entrypoint = 1
    case set = 2
    case edge = 3
    /// Not in the tree: a prober or a witness's client.
    case observer = 4
    public var description: String {
        switch self {
        case .entrypoint: "entrypoint"
        case .set: "set"
        case .edge: "edge"
        case .observer: "observer"
        }
    }
}

/// 128 random bits that an entrypoint draws each time it starts to provide a stream. Sequence numbers are unique within
/// (stream, source, incarnation), and each such triple has its own sealing key.
public struct Incarnation: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Means that there is no incarnation.
    public static let none = Incarnation(high: 0, low: 0)
    public var high: UInt64
    public var low: UInt64
    @inlinable public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
    @inlinable public static func < (a: Incarnation, b: Incarnation) -> Bool { (a.high, a.low) < (b.high, b.low) }
    public var description: String { NodeID(high).description + NodeID(low).description }
}

/// The short id on the wire of one (stream, source, incarnation): a fixed 64-bit hash of the three.
public struct IncarnationTag: Hashable, Comparable, Sendable {
    public var rawValue: UInt64
    @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }
    @inlinable public static func < (a: IncarnationTag, b: IncarnationTag) -> Bool { a.rawValue < b.rawValue }

    public init(stream: StreamName, source: NodeID, incarnation: Incarnation) {
        var hash = FixedHash.hash(stream.text, purpose: .incarnation)
        for word in [source.rawValue, incarnation.high, incarnation.low] {
            hash = FixedHash.combine(hash, word)
        }
        self.init(hash)
    }
}

/// Number of a stream packet within its incarnation; the first packet is 1, so that 0 means "none yet".
public struct SequenceNumber: Hashable, Comparable, Sendable {
    public var rawValue: UInt64
    @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }
    public static let none = SequenceNumber(0)
    @inlinable public static func < (a: SequenceNumber, b: SequenceNumber) -> Bool { a.rawValue < b.rawValue }
    @inlinable public var next: SequenceNumber { SequenceNumber(rawValue &+ 1) }
    @inlinable public static func + (a: SequenceNumber, n: UInt64) -> SequenceNumber {
        SequenceNumber(a.rawValue &+ n)
    }
}

/// Reads the decimal number that follows `letter` in a label: at most ten digits, without leading zeros. `letter` must
/// be lower case; the label may have it in either case. Works on bytes, for speed: maps have hundreds of thousands of
/// such labels.
@inlinable func decimalAfter(_ letter: UInt8, _ label: some StringProtocol) -> UInt64? {
    var bytes = label.utf8.makeIterator()
    guard let first = bytes.next(), first | 0x20 == letter else { return nil }
    var value: UInt64 = 0
    var count = 0
    while let byte = bytes.next() {
        guard byte >= 48, byte <= 57, count < 10, count == 0 || value > 0 else { return nil }
        value = value * 10 + UInt64(byte - 48)
        count += 1
    }
    return count == 0 ? nil : value
}
