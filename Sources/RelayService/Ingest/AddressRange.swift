import ReflectorModel

/// A range of addresses in CIDR notation (RFC 4632), IPv4 or IPv6: who may send to a raw ingest port.
public struct AddressRange: Hashable, Sendable, CustomStringConvertible {
    /// First address of the range.
    public let base: IPAddress
    /// Leading bits that are fixed, counted in the 128 bits of `IPAddress`.
    private let bits: Int

    /// `127.0.0.0/8` and `::1`.
    public static let loopback = [
        AddressRange(base: IPAddress(v4: 0x7f00_0000), bits: 104),
        AddressRange(base: IPAddress(high: 0, low: 1), bits: 128),
    ]

    private init(base: IPAddress, bits: Int) {
        self.base = base
        self.bits = bits
    }

    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or one address. Nil for anything else, also when bits beyond the prefix are
    /// set (`10.0.0.1/8`): that is a typing error.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let base = IPAddress(first) else { return nil }
        let widthMax = base.isV4 ? 32 : 128
        var width = widthMax
        if parts.count == 2 {
            guard let given = Int(parts[1]), (0...widthMax).contains(given), String(given) == parts[1] else {
                return nil
            }
            width = given
        }
        self.init(base: base, bits: width + (128 - widthMax))
        guard Self.masked(base, bits: bits) == base else { return nil }
    }

    public func contains(_ address: IPAddress) -> Bool { Self.masked(address, bits: bits) == base }

    public var description: String { "\(base)/\(base.isV4 && bits >= 96 ? bits - 96 : bits)" }

    private static func masked(_ address: IPAddress, bits: Int) -> IPAddress {
        // Shifts by 64 or more give zero in Swift, as this code needs.
        IPAddress(
            high: address.high & (UInt64.max << (64 - min(bits, 64))),
            low: address.low & (UInt64.max << (128 - max(bits, 64))))
    }
}
