import RelayWire

/// What the two ends of a link agreed on in the handshake, and which control messages have passed since: the tokens
/// that identify the link at each end, its keys, the send counter and the replay window for received messages.
struct LinkSession {
    /// The other end writes this token on every message to this node.
    let ownToken: UInt64
    /// Written on every message sent; 0 until the handshake is complete. Set by `open`.
    private(set) var peerToken: UInt64 = 0
    /// Nil until the handshake is complete, and after the link was closed. Set by `open`, removed by `close`.
    private(set) var keys: LinkKeys?
    private var counter: UInt64 = 0
    private var replay = ReplayWindow()

    init(ownToken: UInt64) { self.ownToken = ownToken }

    mutating func open(peerToken: UInt64, keys: LinkKeys) {
        self.peerToken = peerToken
        self.keys = keys
    }

    /// Closes the session. Returns the keys, which the caller must release.
    mutating func close() -> LinkKeys? {
        defer { keys = nil }
        return keys
    }

    /// Returns the counter for the next control message: a value never used before.
    mutating func takeCounter() -> UInt64 {
        counter += 1
        return counter
    }

    /// Records the counter of a control message whose MAC has been verified. True if it is new and not too old for the
    /// replay window.
    mutating func accepts(_ counter: UInt64) -> Bool { replay.accept(counter) }
}
