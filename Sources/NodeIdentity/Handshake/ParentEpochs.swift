import ReflectorModel

/// The keys that a parent uses for all children of an epoch of 10 s: an X25519 key, and the secret of its cookies. The
/// newest two epochs are kept, because a cookie is valid for 10 s. So what was encrypted to an epoch's key is safe 20 s
/// later, even from somebody who then takes the machine.
struct ParentEpochs<Crypto: IdentityCrypto> {
    /// How long an epoch is, and how long a cookie is valid.
    static var span: TimeSpan { .seconds(10) }
    private static var spanMilliseconds: UInt64 { UInt64(span.milliseconds) }

    struct Epoch {
        let number: UInt64
        let key: Crypto.AgreementKey
        let publicKey: AgreementPublicKey
        fileprivate let cookieSecret: Crypto.Secret
        /// Opens of this epoch that were answered, by the child's nonce.
        fileprivate(set) var answers: [Nonce: Answer] = [:]
        /// How many of them each child got.
        fileprivate var countOfChild: [NodeID: Int] = [:]
    }

    struct Answer {
        var open: OpenMessage
        var opened: OpenedMessage
    }

    private var newest: Epoch?
    private var previous: Epoch?

    /// Makes a cookie, and the keys of the epoch if this is its first one. The clock does not go back.
    mutating func makeCookie(
        for address: Endpoint, nonce: Nonce, at now: MonotonicInstant, _ crypto: Crypto
    ) throws(IdentityCryptoError) -> CookieMessage {
        let milliseconds = Self.milliseconds(now)
        let epoch = try epoch(milliseconds / Self.spanMilliseconds, crypto)
        let mac = try Self.mac(milliseconds, address, nonce, under: epoch.cookieSecret, crypto)
        return CookieMessage(
            nonce: nonce, cookie: RoutabilityCookie(milliseconds: milliseconds, mac: mac), epochKey: epoch.publicKey)
    }

    /// The epoch of a cookie that we made for this address and nonce in the last 10 s. Nil for any other.
    func epoch(
        of cookie: RoutabilityCookie, for address: Endpoint, nonce: Nonce, at now: MonotonicInstant, _ crypto: Crypto
    ) -> Epoch? {
        let current = Self.milliseconds(now)
        guard cookie.milliseconds <= current, current - cookie.milliseconds <= Self.spanMilliseconds else {
            return nil
        }
        let number = cookie.milliseconds / Self.spanMilliseconds
        guard let epoch = [newest, previous].compactMap({ $0 }).first(where: { $0.number == number }),
            let mac = try? Self.mac(cookie.milliseconds, address, nonce, under: epoch.cookieSecret, crypto),
            areEqual(mac, cookie.mac)
        else { return nil }
        return epoch
    }

    /// Whether one more answer to this child can be remembered.
    func hasRoom(for child: NodeID, epoch number: UInt64, max: Int) -> Bool {
        guard let epoch = [newest, previous].compactMap({ $0 }).first(where: { $0.number == number }) else {
            return false
        }
        return epoch.answers.count < max
            && epoch.countOfChild[child, default: 0] < ParentHandshake<Crypto>.answersPerChildMax
    }

    /// Remembers the answer to an Open, for which there must be room.
    mutating func remember(_ answer: Answer, of child: NodeID, epoch number: UInt64) {
        // Without a copy of the epoch, which would make the dictionary copy itself at each answer.
        if newest?.number == number {
            newest?.answers[answer.open.nonce] = answer
            newest?.countOfChild[child, default: 0] += 1
        } else if previous?.number == number {
            previous?.answers[answer.open.nonce] = answer
            previous?.countOfChild[child, default: 0] += 1
        }
    }

    /// Forgets the keys of epochs whose cookies are all invalid by now. To be called at least once per epoch, so that
    /// the keys go also when no Hello comes.
    mutating func expire(at now: MonotonicInstant) {
        let current = Self.milliseconds(now) / Self.spanMilliseconds
        if let previous, previous.number + 1 < current { self.previous = nil }
        if let newest, newest.number + 1 < current { self.newest = nil }
    }

    private mutating func epoch(_ number: UInt64, _ crypto: Crypto) throws(IdentityCryptoError) -> Epoch {
        if let newest, newest.number >= number { return newest }
        let key = try crypto.makeAgreementKey()
        let epoch = Epoch(
            number: number, key: key, publicKey: crypto.publicKey(of: key), cookieSecret: try crypto.makeSecret())
        previous = newest
        newest = epoch
        return epoch
    }

    private static func milliseconds(_ now: MonotonicInstant) -> UInt64 {
        UInt64(max(now.nanoseconds, 0) / 1_000_000)
    }

    private static func mac(
        _ milliseconds: UInt64, _ address: Endpoint, _ nonce: Nonce, under secret: Crypto.Secret, _ crypto: Crypto
    ) throws(IdentityCryptoError) -> CookieMAC {
        var writer = IdentityWriter(capacity: 48)
        writer.write(milliseconds, bytes: 8)
        writer.write(address.address.high, bytes: 8)
        writer.write(address.address.low, bytes: 8)
        writer.write(UInt64(address.port), bytes: 2)
        writer.write(nonce)
        return try crypto.mac(of: writer.bytes, under: secret)
    }
}
