/// A block of multicast groups with a UDP port: `239.1.0.0/16:5000`, or `[ff15::1:0/112]:5000`.
public struct GroupBlock: Hashable, Sendable {
    public let block: CIDRBlock
    public let port: UInt16

    /// Nil if an address of the block is not multicast, or the port is 0.
    public init?(_ block: CIDRBlock, port: UInt16) {
        guard port > 0, let first = block.address(at: 0), first.isMulticast,
            // A block that begins with a group may end outside the groups only if its prefix is shorter than theirs.
            block.address(at: block.count == .max ? 0 : block.count - 1)?.isMulticast ?? false
        else { return nil }
        self.block = block
        self.port = port
    }

    /// Reads an option; nil for anything else than a block of groups and a port.
    public init?(_ text: some StringProtocol) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var range = text[..<colon]
        if range.first == "[" {
            guard range.last == "]" else { return nil }
            range = range.dropFirst().dropLast()
        } else if range.contains(":") {
            return nil
        }
        guard let block = CIDRBlock(range) else { return nil }
        self.init(block, port: port)
    }

    public func contains(_ group: Endpoint) -> Bool { group.port == port && block.contains(group.address) }
}
