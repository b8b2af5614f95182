import ReflectorModel

/// The certificates of a zone that are no longer valid before they expire, signed by an operator. A newer list replaces
/// an older one as a whole, so it names every revoked certificate that has not expired yet.
public struct RevocationList: Hashable, Sendable {
    /// What is signed: everything except the signature.
    public struct Content: Hashable, Sendable {
        public let zone: String
        /// Counts the lists of a zone from 1, over all its operators.
        public let sequence: UInt64
        /// In seconds since 1970.
        public let issuedAt: UInt64
        public let issuer: OperatorKeyID
        /// Ascending, without repetition.
        public let serials: [UInt64]

        /// Sorts the serials. Throws if a value is out of its range.
        public init(
            zone: String, sequence: UInt64, issuedAt: UInt64, issuer: OperatorKeyID, serials: some Sequence<UInt64>
        ) throws(IdentityFormatError) {
            try self.init(
                zone: zone, sequence: sequence, issuedAt: issuedAt, issuer: issuer,
                ascending: Array(Set(serials)).sorted())
        }

        fileprivate init(
            zone: String, sequence: UInt64, issuedAt: UInt64, issuer: OperatorKeyID, ascending serials: [UInt64]
        ) throws(IdentityFormatError) {
            guard ReflectorName.isHost(zone) else { throw .badZone }
            guard sequence > 0, sequence <= CertificateLimits.sequenceMax else { throw .badSequence }
            guard issuedAt < CertificateLimits.timeEnd else { throw .badTime }
            guard serials.count <= CertificateLimits.revocationsMax else { throw .tooMany }
            guard serials.first != 0 else { throw .badSerial }
            self.zone = zone
            self.sequence = sequence
            self.issuedAt = issuedAt
            self.issuer = issuer
            self.serials = serials
        }
    }

    public let content: Content
    /// The operator's, over `content.signedBytes`.
    public let signature: Signature

    public init(content: Content, signature: Signature) {
        self.content = content
        self.signature = signature
    }

    /// Signs with the operator's key.
    public init<Crypto: IdentityCrypto>(
        signing content: Content, with key: Crypto.SigningKey, _ crypto: Crypto
    ) throws(IdentityCryptoError) {
        self.init(content: content, signature: try crypto.sign(content.signedBytes, with: key))
    }

    /// Whether this list replaces `other`: it is of the same zone and has a higher sequence number. Both must have been
    /// accepted by `CertificateAuthorities`; the time at which a list was issued does not matter, so that an operator's
    /// wrong clock cannot bring an old list back.
    public func isNewer(than other: RevocationList) -> Bool {
        content.zone == other.content.zone && content.sequence > other.content.sequence
    }

    /// Binary search: a look-up takes at most 13 comparisons.
    public func contains(_ serial: UInt64) -> Bool {
        var low = 0
        var high = content.serials.count
        while low < high {
            let middle = (low + high) / 2
            if content.serials[middle] < serial { low = middle + 1 } else { high = middle }
        }
        return low < content.serials.count && content.serials[low] == serial
    }
}

/// The bytes of a list (WireFormat.md, "Revocation lists").
extension RevocationList {
    public var encoded: [UInt8] { content.encoded + signature.bytes }

    /// Reads a whole list. The signature is not verified: `CertificateAuthorities.accepts` does that.
    public init(decoding bytes: some Collection<UInt8>) throws(IdentityFormatError) {
        guard bytes.count <= CertificateLimits.revocationListLengthMax else { throw .tooLong }
        var reader = IdentityReader(Array(bytes)[...])
        guard try reader.byte() == CertificateLimits.version else { throw .badVersion }
        let zone = try reader.host(orThrow: .badZone)
        let sequence = try reader.integer(bytes: 8)
        let issuedAt = try reader.seconds()
        let issuer = OperatorKeyID(try reader.integer(bytes: 8))
        let count = try reader.integer(bytes: 4)
        guard count <= CertificateLimits.revocationsMax else { throw .tooMany }
        var serials: [UInt64] = []
        serials.reserveCapacity(Int(count))
        var previous: UInt64 = 0
        for _ in 0..<count {
            let serial = try reader.integer(bytes: 8)
            guard serial > 0 else { throw .badSerial }
            guard serial > previous else { throw .serialOrder }
            serials.append(serial)
            previous = serial
        }
        let signature: Signature = try reader.fixed()
        try reader.finish()
        let content = try Content(
            zone: zone, sequence: sequence, issuedAt: issuedAt, issuer: issuer, ascending: serials)
        self.init(content: content, signature: signature)
    }
}

extension RevocationList.Content {
    /// What the operator signs: a context, a zero byte, and all bytes of the list before the signature.
    public var signedBytes: [UInt8] { SignedText.bytes(context: "reflector revocation list 1", encoded) }

    var encoded: [UInt8] {
        var writer = IdentityWriter(capacity: 160 + 8 * serials.count)
        writer.write(CertificateLimits.version)
        writer.writeName(zone)
        writer.write(sequence, bytes: 8)
        writer.write(issuedAt, bytes: CertificateLimits.timeLength)
        writer.write(issuer.rawValue, bytes: 8)
        writer.write(UInt64(serials.count), bytes: 4)
        for serial in serials { writer.write(serial, bytes: 8) }
        return writer.bytes
    }
}
