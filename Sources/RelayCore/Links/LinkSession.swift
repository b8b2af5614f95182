import RelayWire

/// What the two ends of a link agreed in the handshake, and which control messages have passed since: the tokens by which
/// each end knows the link, its keys, the counter of what is sent, and the replay window of what is received.
struct LinkSession {
    /// The other end writes it on what it sends here.
    let ownToken: UInt64
    /// Written on what is sent; 0 until the handshake is over. Set by `open`.
    private(set) var peerToken: UInt64 = 0
    /// Nil until the handshake is over, and after the link was closed. Set by `open`, taken out by `close`.
    private(set) var keys: LinkKeys?
    private var counter: UInt64 = 0
    private var replay = ReplayWindow()

    init(ownToken: UInt64) { self.ownToken = ownToken }

    mutating func open(peerToken: UInt64, keys: LinkKeys) {
        self.peerToken = peerToken
        self.keys = keys
    }

    /// The link is closed. Returns the keys, for the caller to release.
    mutating func close() -> LinkKeys? {
        defer { keys = nil }
        return keys
    }

    /// The counter of the next control message, never used before.
    mutating func takeCounter() -> UInt64 {
        counter += 1
        return counter
    }

    /// True for an authentic control message that has not come before and is not too old to tell. It is noted.
    mutating func accepts(_ counter: UInt64) -> Bool { replay.accept(counter) }
}
