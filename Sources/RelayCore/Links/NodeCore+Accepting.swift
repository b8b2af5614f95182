import ReflectorModel
import RelayWire

/// The checks of every control message before anybody reads it.
extension NodeCore {
    /// True for a message from the peer's address that is authentic and new. Counts it, or why it is rejected.
    mutating func accepts(
        _ datagram: UnsafeRawBufferPointer, _ header: ControlHeader, isFromPeer: Bool, _ session: inout LinkSession,
        _ key: (LinkKeys) -> MACKey
    ) -> Bool {
        let cause: RelayCounter
        if let keys = session.keys(of: header.token) {
            if !isFromPeer {
                cause = .rejectedWrongAddress
            } else if !ControlCodec.verify(datagram, key: key(keys), crypto: crypto) {
                cause = .rejectedBadMAC
            } else if !session.accepts(header.counter, of: header.token) {
                cause = .rejectedReplayed
            } else {
                context.count(.controlReceived)
                return true
            }
        } else {
            cause = .rejectedUnknownToken
        }
        context.count(cause)
        return false
    }
}
