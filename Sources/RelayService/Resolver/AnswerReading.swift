import LDNSKit
import ReflectorModel

/// What an authoritative answer says about the requested records; follows aliases (standard secondaries serve the
/// aliased form of the zone, design §4).
enum AnswerReading: Equatable {
    case records([LDNSRecord], ttlSeconds: UInt32)
    case noSuchName(serial: UInt32?)
    case noData(serial: UInt32?)
    /// This server gives no usable answer; another one may. The RCODE tells why.
    case lame(rcode: UInt8)

    private static let aliasesMax = 8
    private static let recordsMax = 256
    private static let noError: UInt16 = 0
    private static let serverFailure: UInt8 = 2
    private static let nameError: UInt16 = 3

    /// - Parameter name: as in the query, lower case without the final dot.
    init(_ message: LDNSMessage, name: String, type: UInt16) {
        guard message.rcode == Self.noError || message.rcode == Self.nameError else {
            self = .lame(rcode: UInt8(clamping: message.rcode))
            return
        }
        guard message.isAuthoritative else {
            self = .lame(rcode: Self.serverFailure)
            return
        }
        var owner = name
        var ttl = UInt32.max
        for _ in 0...Self.aliasesMax {
            let found = message.answers.filter { $0.owner == owner && $0.type == type && $0.recordClass == 1 }
            if !found.isEmpty {
                let records = Array(found.prefix(Self.recordsMax))
                self = .records(records, ttlSeconds: records.reduce(ttl) { min($0, $1.ttl) })
                return
            }
            guard
                let alias = message.answers.first(where: { $0.owner == owner && $0.type == LDNSType.cname }),
                let target = LDNSName.text(alias.data)?.lowercased()
            else { break }
            ttl = min(ttl, alias.ttl)
            owner = target
        }
        let serial = message.authority.lazy.compactMap(Self.serial).first
        // An alias to a name that this server does not serve is not an answer. It proves no absence either: a proof
        // includes the zone's SOA (RFC 2308 §2).
        guard owner == name || serial != nil || message.rcode == Self.nameError else {
            self = .lame(rcode: Self.serverFailure)
            return
        }
        self = message.rcode == Self.nameError ? .noSuchName(serial: serial) : .noData(serial: serial)
    }

    /// The serial of an SOA record: its two names are followed by five words of 32 bits (RFC 1035 §3.3.13).
    static func serial(_ record: LDNSRecord) -> UInt32? {
        guard record.type == LDNSType.soa, record.data.count > 20 else { return nil }
        return record.data.suffix(20).prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// The addresses that `records` contain for a host.
    static func addresses(of host: String, in records: [LDNSRecord]) -> [(address: IPAddress, ttl: UInt32)] {
        records.compactMap { record in
            guard record.owner == host, record.recordClass == 1, let bytes = record.addressBytes else { return nil }
            func word(_ part: some Sequence<UInt8>) -> UInt64 { part.reduce(0) { $0 << 8 | UInt64($1) } }
            let address =
                bytes.count == 4
                ? IPAddress(v4: UInt32(word(bytes)))
                : IPAddress(high: word(bytes.prefix(8)), low: word(bytes.dropFirst(8)))
            return (address, record.ttl)
        }
    }
}

/// The TXT strings of a reflector name (design §4).
struct AnswerText {
    /// All strings, in the server's order.
    var strings: [String]

    /// The portset of a stream: the one in `portset=s4096`, or the fixed hash of the stream's name into the range of
    /// `hash=0-4095`.
    func portset(of stream: StreamName) -> PortsetID? {
        if let label = value("portset") { return PortsetID(label: label) }
        let bounds = value("hash")?.split(separator: "-", maxSplits: 1).compactMap { UInt16($0) } ?? []
        guard bounds.count == 2, bounds[0] <= bounds[1] else { return nil }
        return stream.portset(hashedInto: bounds[0]...bounds[1])
    }

    private func value(_ key: String) -> Substring? {
        strings.first { $0.hasPrefix(key + "=") }?.dropFirst(key.count + 1)
    }
}
