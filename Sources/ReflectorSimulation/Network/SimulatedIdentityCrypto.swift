import NodeIdentity
import ReflectorModel

/// `IdentityCrypto` without strength: everything is a number of 64 bits, agreements are Diffie–Hellman modulo 2⁶¹ − 1, and
/// whoever knows a public key could sign with it. It fails in the same cases as libcrypto as long as everybody calls it
/// as the protocol does; attackers that break rules use the symbolic model instead.
public struct SimulatedIdentityCrypto: IdentityCrypto {
    /// Random numbers, shared by all copies.
    private final class Source {
        var random: SeededGenerator
        init(seed: UInt64) { random = SeededGenerator(seed: seed) }
    }

    private static var modulus: UInt64 { (1 << 61) - 1 }
    private let source: Source

    public init(seed: UInt64) { source = Source(seed: seed) }

    public func digest(of bytes: [UInt8]) -> Digest { Self.fixed(Self.hash(0x5a, bytes)) }

    public func publicKey(of key: UInt64) -> VerificationKey { Self.fixed(FixedHash.mix(key)) }
    public func sign(_ message: [UInt8], with key: UInt64) throws(IdentityCryptoError) -> Signature {
        Self.fixed(Self.hash(FixedHash.mix(key), message))
    }
    public func isValid(_ signature: Signature, of message: [UInt8], by key: VerificationKey) -> Bool {
        signature == Self.fixed(Self.hash(Self.word(key.bytes), message))
    }

    public func makeAgreementKey() throws(IdentityCryptoError) -> UInt64 { source.random.next() >> 4 | 1 }
    public func publicKey(of key: UInt64) -> AgreementPublicKey { Self.fixed(first: Self.power(3, key)) }
    public func agree(_ key: UInt64, with peer: AgreementPublicKey) throws(IdentityCryptoError) -> UInt64 {
        let base = Self.word(peer.bytes) % Self.modulus
        guard base != 0 else { throw .lowOrderKey }
        return Self.power(base, key)
    }

    public func makeSecret() throws(IdentityCryptoError) -> UInt64 { source.random.next() }
    public func derive(
        from secrets: [UInt64], salt: Digest, info: String
    ) throws(IdentityCryptoError) -> UInt64 {
        let start = secrets.reduce(0) { FixedHash.combine($0, $1) }
        return Self.hash(Self.hash(start, salt.bytes), Array(info.utf8))
    }
    public func mac(of bytes: [UInt8], under secret: UInt64) throws(IdentityCryptoError) -> CookieMAC {
        Self.fixed(Self.hash(secret, bytes))
    }

    public func seal(
        _ plaintext: [UInt8], associated: Digest, under secret: UInt64
    ) throws(IdentityCryptoError) -> [UInt8] {
        let ciphertext = Self.cipher(plaintext, secret)
        return ciphertext + Self.tag(ciphertext, associated, secret).bytes
    }
    public func open(_ sealed: [UInt8], associated: Digest, under secret: UInt64) -> [UInt8]? {
        guard sealed.count >= CookieMACLength.length else { return nil }
        let ciphertext = Array(sealed.dropLast(CookieMACLength.length))
        guard sealed.suffix(CookieMACLength.length).elementsEqual(Self.tag(ciphertext, associated, secret).bytes)
        else { return nil }
        return Self.cipher(ciphertext, secret)
    }

    private static func cipher(_ bytes: [UInt8], _ secret: UInt64) -> [UInt8] {
        var output = bytes
        bytes.withUnsafeBytes { source in
            output.withUnsafeMutableBytes { Keystream.apply(secret, source, into: $0) }
        }
        return output
    }

    private static func tag(_ ciphertext: [UInt8], _ associated: Digest, _ secret: UInt64) -> CookieMAC {
        fixed(hash(hash(~secret, associated.bytes), ciphertext))
    }

    private static func hash(_ key: UInt64, _ bytes: [UInt8]) -> UInt64 {
        var hash = KeyedHash(key: key)
        bytes.withUnsafeBytes { hash.add($0) }
        return hash.value
    }

    /// A byte string that follows from a number, and begins with it.
    private static func fixed<Kind>(_ value: UInt64) -> FixedBytes<Kind> { fixed(first: value) }

    private static func fixed<Kind>(first value: UInt64) -> FixedBytes<Kind> {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Kind.length + 8)
        var word = value
        while bytes.count < Kind.length {
            withUnsafeBytes(of: word) { bytes.append(contentsOf: $0) }
            word = FixedHash.mix(word &+ 1)
        }
        bytes.removeLast(bytes.count - Kind.length)
        guard let fixed = FixedBytes<Kind>(bytes) else {
            preconditionFailure("SimulatedIdentityCrypto: a wrong length")
        }
        return fixed
    }

    private static func word(_ bytes: [UInt8]) -> UInt64 { bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) } }

    /// base^exponent modulo 2⁶¹ − 1.
    private static func power(_ base: UInt64, _ exponent: UInt64) -> UInt64 {
        var (result, base, exponent) = (UInt64(1), base % modulus, exponent)
        while exponent > 0 {
            if exponent & 1 == 1 { result = product(result, base) }
            base = product(base, base)
            exponent >>= 1
        }
        return result
    }

    private static func product(_ a: UInt64, _ b: UInt64) -> UInt64 {
        modulus.dividingFullWidth(a.multipliedFullWidth(by: b)).remainder
    }
}
