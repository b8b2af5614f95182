/// What a stream packet is: the last octet of its header, which the seal covers.
@frozen
public enum PacketKind: UInt8, Hashable, Sendable, CaseIterable {
    /// A payload that the entrypoint sealed with the incarnation's key.
    case data = 0
    /// No payload; never delivered.
    case filler = 1
    /// A payload that a set reflector took from a twin feed, because the incarnation's own packet did not arrive. It is
    /// sealed with the key that `PacketCrypto.deriveTwinKey` gives.
    case twin = 2
}
