/// An IPv4 or IPv6 address without a port. IPv4 is stored as IPv4-mapped IPv6 (RFC 4291 §2.5.5.2), so that one
/// comparison works for both.
public struct IPAddress: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    public var high: UInt64
    public var low: UInt64

    @inlinable public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    @inlinable public init(v4 address: UInt32) { self.init(high: 0, low: 0x0000_ffff_0000_0000 | UInt64(address)) }

    @inlinable public var isV4: Bool { high == 0 && low >> 32 == 0xffff }
    /// The IPv4 address in host byte order; meaningful only when `isV4`.
    @inlinable public var v4: UInt32 { UInt32(truncatingIfNeeded: low) }
    /// fe80::/10 (RFC 4291 §2.5.6): meaningful only together with an interface.
    @inlinable public var isLinkLocal: Bool { high >> 54 == 0xfe80 >> 6 }
    /// 0.0.0.0 or `::`. As a listening address it means all addresses of the machine.
    @inlinable public var isUnspecified: Bool { isV4 ? v4 == 0 : high == 0 && low == 0 }
    @inlinable public static func < (a: IPAddress, b: IPAddress) -> Bool { (a.high, a.low) < (b.high, b.low) }
    /// 224.0.0.0/4 or ff00::/8.
    public var isMulticast: Bool { isV4 ? v4 >> 28 == 0xe : high >> 56 == 0xff }
    /// 127.0.0.0/8 or ::1: packets to it never leave the host.
    public var isLoopback: Bool { isV4 ? v4 >> 24 == 127 : high == 0 && low == 1 }

    /// Reads dotted IPv4 or RFC 4291 IPv6 text. Nil for anything else.
    public init?(_ text: some StringProtocol) {
        if text.utf8.contains(UInt8(ascii: ":")) {
            guard let address = Self.parseV6(text) else { return nil }
            self = address
        } else {
            guard let address = Self.parseV4(text) else { return nil }
            self.init(v4: address)
        }
    }

    public var description: String {
        if isV4 {
            return "\(v4 >> 24).\((v4 >> 16) & 255).\((v4 >> 8) & 255).\(v4 & 255)"
        }
        let groups = (0..<8).map { (index: Int) -> UInt64 in
            let word = index < 4 ? high : low
            return (word >> UInt64(48 - 16 * (index & 3))) & 0xffff
        }
        // RFC 5952: the longest run of two or more zero groups becomes "::".
        var best = 0..<0
        var start = 0
        while start < 8 {
            var end = start
            while end < 8, groups[end] == 0 { end += 1 }
            if end - start > max(best.count, 1) { best = start..<end }
            start = max(end, start + 1)
        }
        let head = groups[..<best.lowerBound].map { String($0, radix: 16) }.joined(separator: ":")
        if best.isEmpty { return groups.map { String($0, radix: 16) }.joined(separator: ":") }
        let tail = groups[best.upperBound...].map { String($0, radix: 16) }.joined(separator: ":")
        return head + "::" + tail
    }

    private static func parseV4(_ text: some StringProtocol) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var address: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.count), part.utf8.allSatisfy({ (48...57).contains($0) }),
                let octet = UInt32(part), octet <= 255, part.count == 1 || part.first != "0"
            else { return nil }
            address = address << 8 | octet
        }
        return address
    }

    private static func parseV6(_ text: some StringProtocol) -> IPAddress? {
        func groups(_ part: Substring, isTail: Bool) -> [UInt16]? {
            if part.isEmpty { return [] }
            var result: [UInt16] = []
            let pieces = part.split(separator: ":", omittingEmptySubsequences: false)
            for (index, piece) in pieces.enumerated() {
                if piece.contains(".") {
                    guard isTail, index == pieces.count - 1, let v4 = parseV4(piece) else { return nil }
                    result += [UInt16(v4 >> 16), UInt16(v4 & 0xffff)]
                } else {
                    guard (1...4).contains(piece.count), let group = UInt16(piece, radix: 16), piece.first != "+"
                    else { return nil }
                    result.append(group)
                }
            }
            return result
        }
        let whole = Substring(text)
        var all: [UInt16]
        if let gap = doubleColon(in: whole) {
            guard let head = groups(whole[..<gap.lowerBound], isTail: false),
                let tail = groups(whole[gap.upperBound...], isTail: true), head.count + tail.count <= 7
            else { return nil }
            all = head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail
        } else {
            guard let list = groups(whole, isTail: true), list.count == 8 else { return nil }
            all = list
        }
        func word(_ slice: ArraySlice<UInt16>) -> UInt64 { slice.reduce(0) { $0 << 16 | UInt64($1) } }
        return IPAddress(high: word(all[0..<4]), low: word(all[4..<8]))
    }

    private static func doubleColon(in text: Substring) -> Range<Substring.Index>? {
        var index = text.startIndex
        while index < text.endIndex {
            let next = text.index(after: index)
            if next < text.endIndex, text[index] == ":", text[next] == ":" {
                return index..<text.index(after: next)
            }
            index = next
        }
        return nil
    }
}

/// An address and a UDP or TCP port.
public struct Endpoint: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var address: IPAddress
    public var port: UInt16

    @inlinable public init(address: IPAddress, port: UInt16) {
        self.address = address
        self.port = port
    }

    /// Reads `127.0.0.1:5300` or `[::1]:5300`. Nil for anything else.
    public init?(_ text: some StringProtocol) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard digits.utf8.allSatisfy({ (48...57).contains($0) }), digits.count == 1 || digits.first != "0",
            let port = UInt16(digits)
        else { return nil }
        var host = text[..<colon]
        if host.first == "[" {
            guard host.last == "]" else { return nil }
            host = host.dropFirst().dropLast()
            guard host.contains(":") else { return nil }
        } else if host.contains(":") {
            return nil
        }
        guard let address = IPAddress(host) else { return nil }
        self.init(address: address, port: port)
    }

    @inlinable public static func < (a: Endpoint, b: Endpoint) -> Bool {
        (a.address, a.port) < (b.address, b.port)
    }
    public var description: String { address.isV4 ? "\(address):\(port)" : "[\(address)]:\(port)" }
}
