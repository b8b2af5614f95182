/// A block of addresses in CIDR notation (RFC 4632), IPv4 or IPv6: `127.0.0.0/8`, `::1`, `2001:db8::/32`.
public struct CIDRBlock: Hashable, Sendable, CustomStringConvertible {
    private let address: IPAddress
    /// Prefix length in the 128-bit form.
    private let bits: Int
    private let mask: IPAddress

    /// The loopback blocks of IPv4 and IPv6.
    public static let loopback = [CIDRBlock("127.0.0.0/8"), CIDRBlock("::1/128")].compactMap { $0 }

    /// Reads an address, or an address, a slash and a prefix length. Nil for anything else, including an address with
    /// bits set after the prefix (`10.0.0.1/8`): this is taken as a typing error.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let first = parts.first, let address = IPAddress(first) else { return nil }
        let width = address.isV4 ? 32 : 128
        var length = width
        if parts.count == 2 {
            guard let number = Int(parts[1]), (0...width).contains(number), String(number) == parts[1] else {
                return nil
            }
            length = number
        }
        self.address = address
        bits = 128 - width + length
        let high: UInt64 = bits >= 64 ? .max : bits == 0 ? 0 : ~(.max >> UInt64(bits))
        let low: UInt64 = bits <= 64 ? 0 : bits >= 128 ? .max : ~(.max >> UInt64(bits - 64))
        mask = IPAddress(high: high, low: low)
        guard contains(address) else { return nil }
    }

    public func contains(_ other: IPAddress) -> Bool {
        other.high & mask.high == address.high && other.low & mask.low == address.low
    }

    public var isV4: Bool { address.isV4 }

    /// Number of addresses in the block; `UInt64.max` if there are more.
    public var count: UInt64 { bits <= 64 ? .max : 1 << UInt64(128 - bits) }

    /// An address of the block; nil if `index` is not below `count`.
    public func address(at index: UInt64) -> IPAddress? {
        guard index < count else { return nil }
        return IPAddress(high: address.high, low: address.low | index)
    }

    /// The address of a block that holds exactly one; nil for a larger block.
    public var only: IPAddress? { bits == 128 ? address : nil }

    public var description: String { "\(address)/\(address.isV4 ? bits - 96 : bits)" }
}
