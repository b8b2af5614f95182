import RelayWire

/// What the two ends of a link agreed on in the handshake, and which control messages have passed since: the tokens
/// that identify the link at each end, its keys, the send counter and the replay window for received messages.
///
/// When a link gets new keys, there are two sets of all this for a while. The child uses the new set at once. The parent
/// uses it after the first message under it, because a child may not have got the answer to its Open. Both accept what
/// arrives under either set, until the old one is dropped.
struct LinkSession {
    private struct Agreement {
        let ownToken: UInt64
        var peerToken: UInt64 = 0
        var keys: LinkKeys?
        var counter: UInt64 = 0
        var wrapNonce: UInt64 = 0
        var replay = ReplayWindow()
    }

    private var current: Agreement
    /// The old set after a change of keys, or at the parent the new set before its first message.
    private var other: Agreement?
    /// True if `other` is the new set.
    private var isOffered = false

    init(ownToken: UInt64) { current = Agreement(ownToken: ownToken) }

    /// The other end writes this token on every message to this node.
    var ownToken: UInt64 { current.ownToken }
    /// Written on every message sent; 0 until the handshake is complete.
    var peerToken: UInt64 { current.peerToken }
    /// Nil until the handshake is complete, and after the link was closed.
    var keys: LinkKeys? { current.keys }

    mutating func open(peerToken: UInt64, keys: LinkKeys) {
        current.peerToken = peerToken
        current.keys = keys
    }

    // MARK: New keys

    /// At the child: the new set is used from now on.
    ///
    /// - Returns: the token and keys of an even older set, which the caller must release.
    mutating func renew(ownToken: UInt64, peerToken: UInt64, keys: LinkKeys) -> Dropped? {
        defer {
            other = current
            isOffered = false
            current = Agreement(ownToken: ownToken, peerToken: peerToken, keys: keys)
        }
        return dropOther()
    }

    /// At the parent: the new set is used as soon as the child has used it.
    ///
    /// - Returns: the token and keys of a set that it replaces, which the caller must release.
    mutating func offer(ownToken: UInt64, peerToken: UInt64, keys: LinkKeys) -> Dropped? {
        defer {
            other = Agreement(ownToken: ownToken, peerToken: peerToken, keys: keys)
            isOffered = true
        }
        return dropOther()
    }

    /// An authentic message has arrived under this token. True if it is the first one under a set that was offered.
    mutating func confirm(_ token: UInt64) -> Bool {
        guard isOffered, let offered = other, offered.ownToken == token else { return false }
        other = current
        current = offered
        isOffered = false
        return true
    }

    /// A set that is used no more.
    struct Dropped {
        var ownToken: UInt64
        var keys: LinkKeys?
    }

    /// Forgets the set that is not in use.
    mutating func dropOther() -> Dropped? {
        defer { other = nil }
        return other.map { Dropped(ownToken: $0.ownToken, keys: $0.keys) }
    }

    /// Closes the session.
    ///
    /// - Returns: all tokens and keys, which the caller must release.
    mutating func close() -> [Dropped] {
        defer {
            current.keys = nil
            other = nil
        }
        return [Dropped(ownToken: current.ownToken, keys: current.keys)]
            + (other.map { [Dropped(ownToken: $0.ownToken, keys: $0.keys)] } ?? [])
    }

    // MARK: Messages

    /// The keys of messages with this token. Nil if the token is of neither set.
    func keys(of token: UInt64) -> LinkKeys? {
        if token == current.ownToken { return current.keys }
        guard let other, token == other.ownToken else { return nil }
        return other.keys
    }

    /// The keys under which the parent may have encrypted streams' keys, those in use first.
    var wrapKeys: [WrapKey] { [current.keys?.wrapping, other?.keys?.wrapping].compactMap { $0 } }

    /// Returns the counter for the next control message: a value never used before with these keys.
    mutating func takeCounter() -> UInt64 {
        current.counter += 1
        return current.counter
    }

    /// Returns the nonce for the next stream key: a value never used before with these keys.
    mutating func takeWrapNonce() -> UInt64 {
        current.wrapNonce += 1
        return current.wrapNonce
    }

    /// Records the counter of a control message whose MAC has been verified. True if it is new and not too old for the
    /// replay window.
    mutating func accepts(_ counter: UInt64, of token: UInt64) -> Bool {
        if token == current.ownToken { return current.replay.accept(counter) }
        return other?.replay.accept(counter) ?? false
    }
}
