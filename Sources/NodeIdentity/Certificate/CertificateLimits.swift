/// Lengths and bounds of certificates and revocation lists. They change only with the version.
public enum CertificateLimits {
    public static let version: UInt8 = 1
    /// Longest certificate in bytes. A handshake message has room for it beside everything else.
    public static let certificateLengthMax = 512
    /// Revoked serials in one list: a full list (32,987 bytes) fits into one DNS message over TCP.
    public static let revocationsMax = 4_096
    /// Longest revocation list in bytes: version, zone, sequence number, time, operator, count, serials, signature.
    public static let revocationListLengthMax = 1 + 129 + 8 + timeLength + 8 + 4 + 8 * revocationsMax + 64
    /// Highest number of a revocation list: the next one still fits into 64 bits.
    public static let sequenceMax: UInt64 = (1 << 62) - 1
    /// Bytes of a time in seconds since 1970.
    static let timeLength = 5
    /// Times are below this.
    public static let timeEnd: UInt64 = 1 << 40
    /// Operators' public keys accepted at once: the old and the new one while they are rolled.
    public static let operatorsMax = 2
    /// Longest name of a set region: one label.
    static let setRegionLengthMax = 63
}
