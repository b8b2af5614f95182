import ReflectorModel
import RelayWire

/// Cookies prove that a child, or a prober, receives at its address. The node keeps no state for them.
extension LinkKeeper {
    /// How long a cookie is valid, and how long a secret is used to make cookies.
    private static var cookieSpan: TimeSpan { .seconds(10) }
    private static var secretSpanMilliseconds: UInt64 { 60_000 }

    /// Answers a Hello.
    func sendCookie(
        keyPhase: UInt8, to source: Endpoint, node: NodeID, nonce: HandshakeNonce, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) {
        guard node != core.context.id else { return core.context.count(.rejectedUnexpected) }
        let cookie = makeCookie(
            milliseconds: milliseconds(now), for: source, node: node, nonce: nonce, core.crypto)
        core.send(
            .cookie(keyPhase: keyPhase, nonce: nonce, cookie: cookie), to: source, from: core.context.arrivedAt,
            at: now)
    }

    func isValid(
        _ cookie: HandshakeCookie, for source: Endpoint, node: NodeID, nonce: HandshakeNonce,
        at now: MonotonicInstant, _ crypto: any PacketCrypto
    ) -> Bool {
        let current = milliseconds(now)
        guard cookie.milliseconds <= current,
            current - cookie.milliseconds <= UInt64(Self.cookieSpan.milliseconds)
        else { return false }
        let own = makeCookie(milliseconds: cookie.milliseconds, for: source, node: node, nonce: nonce, crypto)
        return (own.macHigh ^ cookie.macHigh) | (own.macLow ^ cookie.macLow) == 0
    }

    private func milliseconds(_ now: MonotonicInstant) -> UInt64 { UInt64(max(now.nanoseconds / 1_000_000, 0)) }

    private func makeCookie(
        milliseconds: UInt64, for source: Endpoint, node: NodeID, nonce: HandshakeNonce, _ crypto: any PacketCrypto
    ) -> HandshakeCookie {
        var tag = (UInt64(0), UInt64(0))
        let words: [UInt64] = [
            milliseconds, source.address.high, source.address.low, UInt64(source.port), node.rawValue, nonce.high,
            nonce.low,
        ]
        words.withUnsafeBytes { bytes in
            withUnsafeMutableBytes(of: &tag) { target in
                crypto.cookieMAC(secret: milliseconds / Self.secretSpanMilliseconds, of: bytes, into: target)
            }
        }
        return HandshakeCookie(milliseconds: milliseconds, macHigh: tag.0, macLow: tag.1)
    }
}
