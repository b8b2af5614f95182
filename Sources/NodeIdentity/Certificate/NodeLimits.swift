/// Optional bounds in a certificate on what its node may use. A limit that is absent does not bound anything.
///
/// On the wire they are type-length-value entries in ascending order of their types. A reader that does not know a type
/// refuses the certificate: a limit that is not understood would not be enforced.
public struct NodeLimits: Hashable, Sendable {
    /// Most bits per second that the node may send to children.
    public var egressBitsPerSecond: UInt64?
    /// Most streams that it may carry at once.
    public var streams: UInt32?
    /// Most children that it may have at once.
    public var children: UInt32?

    public init(egressBitsPerSecond: UInt64? = nil, streams: UInt32? = nil, children: UInt32? = nil) {
        self.egressBitsPerSecond = egressBitsPerSecond
        self.streams = streams
        self.children = children
    }

    /// The types on the wire, and the length of each value in bytes.
    enum Kind: UInt8, CaseIterable {
        case egressBitsPerSecond = 1
        case streams = 2
        case children = 3

        var length: Int { self == .egressBitsPerSecond ? 8 : 4 }
    }

    /// Type and value of each limit, in ascending order.
    var entries: [(kind: Kind, value: UInt64)] {
        Kind.allCases.compactMap { kind in
            switch kind {
            case .egressBitsPerSecond: egressBitsPerSecond.map { (kind, $0) }
            case .streams: streams.map { (kind, UInt64($0)) }
            case .children: children.map { (kind, UInt64($0)) }
            }
        }
    }

    /// Writes the length of all entries (1), and then each one's type (1), length (1) and value.
    func write(_ writer: inout IdentityWriter) {
        writer.write(UInt8(entries.reduce(0) { $0 + 2 + $1.kind.length }))
        for (kind, value) in entries {
            writer.write(kind.rawValue)
            writer.write(UInt8(kind.length))
            writer.write(value, bytes: kind.length)
        }
    }

    init(_ reader: inout IdentityReader) throws(IdentityFormatError) {
        self.init()
        let length = Int(try reader.byte())
        var entries = IdentityReader(try reader.take(length))
        var previous: UInt8 = 0
        while !entries.isAtEnd {
            let type = try entries.byte()
            guard type > previous else { throw .limitOrder }
            guard let kind = Kind(rawValue: type) else { throw .unknownLimit }
            guard try entries.byte() == kind.length else { throw .limitLength }
            let value = try entries.integer(bytes: kind.length)
            guard value > 0 else { throw .limitValue }
            switch kind {
            case .egressBitsPerSecond: egressBitsPerSecond = value
            case .streams: streams = UInt32(value)
            case .children: children = UInt32(value)
            }
            previous = type
        }
    }
}
