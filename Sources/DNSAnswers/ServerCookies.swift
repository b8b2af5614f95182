import ReflectorModel

/// Makes and checks server cookies in the interoperable format (RFC 9018 §4): version, reserved bytes, time, and
/// SipHash-2-4 over them with the client's cookie and address. Servers with common secrets accept each other's cookies.
/// The first secret signs and all secrets verify, so that a new secret can be distributed before it signs, and an old
/// one can be kept until its cookies have expired.
public struct ServerCookies: Sendable, Equatable {
    /// A 128-bit secret that cookies are made with.
    public struct Secret: Sendable, Hashable {
        let key: SipHash.Key

        /// The 16 bytes of another server's `cookie-secret`.
        public init?(_ bytes: some Collection<UInt8>) {
            guard bytes.count == 16 else { return nil }
            let words = bytes.enumerated().reduce(into: (UInt64(0), UInt64(0))) { words, byte in
                let shifted = UInt64(byte.element) << UInt64(byte.offset % 8 * 8)
                if byte.offset < 8 { words.0 |= shifted } else { words.1 |= shifted }
            }
            key = SipHash.Key(low: words.0, high: words.1)
        }

        /// 32 hexadecimal digits.
        public init?(hexadecimal text: some StringProtocol) {
            let digits = text.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
            guard digits.count == 32, text.utf8.count == 32 else { return nil }
            self.init((0..<16).map { UInt8(digits[2 * $0] << 4 | digits[2 * $0 + 1]) })
        }
    }

    /// The result of a cookie check, and the cookie to send.
    struct Verdict {
        /// True if the server cookie is ours, was made for this client, and is not too old: the address is then not
        /// forged.
        var isValid: Bool
        /// Version, reserved bytes and time of the cookie to send, in memory order.
        var header: UInt64
        var hash: UInt64
    }

    /// Maximum number of secrets: the one that signs, the next one and the previous one.
    public static let secretsMax = 3
    /// Maximum age of an accepted cookie, and maximum clock difference to another server (RFC 9018 §4.3).
    static let ageSecondsMax: Int32 = 3_600
    static let aheadSecondsMax: Int32 = 300
    /// A client whose cookie is at least this old gets a new one.
    static let renewSeconds: Int32 = 1_800

    private let keys: (SipHash.Key, SipHash.Key, SipHash.Key)
    private let count: Int

    /// - Parameter secrets: one to three secrets, the first of which signs. With any other number, the result is nil.
    public init?(_ secrets: [Secret]) {
        guard let first = secrets.first, secrets.count <= Self.secretsMax else { return nil }
        keys = (first.key, secrets.dropFirst().first?.key ?? first.key, secrets.last?.key ?? first.key)
        count = secrets.count
    }

    public static func == (a: ServerCookies, b: ServerCookies) -> Bool { a.keys == b.keys && a.count == b.count }

    /// - Parameters:
    ///   - cookie: the option's data, 8 to 40 bytes.
    ///   - now: wall clock in seconds since 1970.
    @inline(__always) func check(
        _ cookie: UnsafePointer<UInt8>, count length: Int, of client: IPAddress, at now: Int64
    ) -> Verdict {
        let raw = UnsafeRawPointer(cookie)
        let clientCookie = UInt64(littleEndian: raw.loadUnaligned(as: UInt64.self))
        let time = UInt32(truncatingIfNeeded: now)
        // A server cookie of any other length is not one of ours.
        if length == 24 {
            let header = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            let hash = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
            let made = UInt32(truncatingIfNeeded: header >> 32).byteSwapped
            // Serial number arithmetic (RFC 9018 §4.3).
            let age = Int32(truncatingIfNeeded: time &- made)
            if header & 0xff == 1, age <= Self.ageSecondsMax, age >= -Self.aheadSecondsMax {
                if hash == Self.hash(clientCookie, header, client, keys.0) {
                    if age < Self.renewSeconds { return Verdict(isValid: true, header: header, hash: hash) }
                    return make(clientCookie, client, time, isValid: true)
                }
                let isOther =
                    count > 1 && hash == Self.hash(clientCookie, header, client, keys.1)
                    || count > 2 && hash == Self.hash(clientCookie, header, client, keys.2)
                return make(clientCookie, client, time, isValid: isOther)
            }
        }
        return make(clientCookie, client, time, isValid: false)
    }

    @inline(__always) private func make(
        _ clientCookie: UInt64, _ client: IPAddress, _ time: UInt32, isValid: Bool
    ) -> Verdict {
        let header = UInt64(time.byteSwapped) << 32 | 1
        return Verdict(isValid: isValid, header: header, hash: Self.hash(clientCookie, header, client, keys.0))
    }

    @inline(__always) private static func hash(
        _ clientCookie: UInt64, _ header: UInt64, _ client: IPAddress, _ key: SipHash.Key
    ) -> UInt64 {
        var hash = SipHash(key)
        hash.absorb(clientCookie)
        hash.absorb(header)
        if client.isV4 { return hash.finish(tail: UInt64(client.v4.byteSwapped), length: 20) }
        hash.absorb(client.high.byteSwapped)
        hash.absorb(client.low.byteSwapped)
        return hash.finish(tail: 0, length: 32)
    }
}
