import NodeIdentity
import ReflectorModel
import RelayWire

/// An open link to a target, as its child. The target proved in the handshake that it is the host of that name.
final class ProbeLink {
    /// The target's address in use.
    let address: Endpoint
    /// What the target's certificate says.
    let peer: CertificateContent
    let openedAt: MonotonicInstant
    private let ownToken: UInt64
    private let peerToken: UInt64
    private let keys: LinkKeys
    private let crypto: any PacketCrypto
    private var counter: UInt64 = 0
    private var replay = ReplayWindow()
    private var renewedAt: MonotonicInstant
    /// A target sends a heartbeat about once a second; more often than this they are not answered.
    private static let renewSpacing = TimeSpan.milliseconds(500)

    init(
        to address: Endpoint, peer: CertificateContent, ownToken: UInt64, peerToken: UInt64, keys: LinkKeys,
        crypto: any PacketCrypto, at now: MonotonicInstant
    ) {
        self.address = address
        self.peer = peer
        self.ownToken = ownToken
        self.peerToken = peerToken
        self.keys = keys
        self.crypto = crypto
        openedAt = now
        renewedAt = now - .seconds(1)
    }

    deinit { crypto.release(keys) }

    /// True when it is time for a link with new keys.
    func isOver(at now: MonotonicInstant) -> Bool { RekeyRule.isDue(packets: counter, age: now - openedAt) }

    /// Writes a message with its MAC and returns its length.
    func write(_ message: RelayMessage, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        counter += 1
        let length = ControlCodec.encode(message, token: peerToken, counter: counter, into: buffer)
        ControlCodec.finish(
            UnsafeMutableRawBufferPointer(rebasing: buffer[..<length]), key: keys.childToParent, crypto: crypto)
        return length
    }

    /// The message in a datagram from the target's address; nil if it is not of this link, not authentic, repeated or
    /// malformed.
    func read(_ datagram: UnsafeRawBufferPointer) -> RelayMessage? {
        guard let header = try? ControlHeader(parsing: datagram), header.token == ownToken,
            ControlCodec.verify(datagram, key: keys.parentToChild, crypto: crypto), replay.accept(header.counter)
        else { return nil }
        return try? ControlCodec.decodeBody(datagram)
    }

    /// The Renew that returns a heartbeat's nonce, so that the target keeps the link; nil if heartbeats come too often.
    func renew(for heartbeat: LinkHeartbeat, at now: MonotonicInstant) -> Renew? {
        guard now - renewedAt >= Self.renewSpacing else { return nil }
        renewedAt = now
        return Renew(
            leaseNonce: heartbeat.leaseNonce, subscriptions: 0, digest: 0, timestamp: 0, echoedTimestamp: 0,
            echoDelayMicroseconds: 0, received: 0, lost: 0)
    }
}
