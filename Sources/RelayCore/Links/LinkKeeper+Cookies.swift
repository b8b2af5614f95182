import NodeIdentity
import ReflectorModel
import RelayWire

/// The first step of the handshake: cookies prove that a child receives at its address. The node keeps no state for them
/// and does no asymmetric work before it.
extension LinkKeeper {
    /// Answers a Hello, unless so many arrive that the answers would delay packets.
    mutating func sendCookie(
        for hello: HelloMessage, to source: Endpoint, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        guard mayAnswerHello(at: now) else { return core.context.count(.droppedHelloFlood) }
        do throws(HandshakeError) {
            let cookie = try core.context.handshakes.cookie(for: hello, from: source, at: now)
            core.send(.cookie(cookie), to: source, from: core.context.arrivedAt, at: now)
        } catch {
            count(error, &core)
        }
    }

    /// Lets an Open wait for its turn if its cookie is right. False if it was dropped.
    mutating func enqueue(
        _ open: OpenMessage, from source: Endpoint, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Bool {
        let counter: RelayCounter
        if !core.context.handshakes.isOurs(open.cookie, nonce: open.nonce, from: source, at: now) {
            counter = .rejectedBadCookie
        } else if !wait(OpenQueue.Waiting(open: open, source: source, local: core.context.arrivedAt), at: now) {
            counter = .droppedOpensFull
        } else {
            return true
        }
        core.context.count(counter)
        return false
    }

    /// Counts why a handshake message was refused.
    func count(_ error: HandshakeError, _ core: inout NodeCore) {
        switch error {
        case .unexpected, .otherNonce, .ownName, .intendedForOther, .otherNode: core.context.count(.rejectedUnexpected)
        case .cookie: core.context.count(.rejectedBadCookie)
        case .seal, .signature, .format, .payload, .payloadTooLong: core.context.count(.rejectedHandshake)
        case .certificate(.expired): core.context.count(.certificatesExpired)
        case .certificate(.notYetValid): core.context.count(.certificatesEarly)
        case .certificate(.revoked): core.context.count(.certificatesRevoked)
        case .certificate: core.context.count(.certificatesUntrusted)
        case .powers: core.context.count(.powersExceeded)
        case .tooManyAttempts, .noRoom: core.context.count(.droppedOpensFull)
        case .crypto: core.context.count(.cryptoFailures)
        }
    }
}
