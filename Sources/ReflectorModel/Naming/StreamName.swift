/// The name of a stream: segments of `[a-z0-9-]{1,63}` joined by `/`, such as `live/news`. In the DNS the segments are
/// reversed: `news.live.streams`.
public struct StreamName: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Maximum length in bytes: with `.streams` and a zone the name still fits into a DNS name.
    public static let lengthMax = 160

    public let text: String

    /// Nil if `text` is not a well-formed name.
    public init?(_ text: some StringProtocol) {
        guard !text.isEmpty, text.utf8.count <= Self.lengthMax else { return nil }
        var length = 0
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
                length += 1
                guard length <= 63 else { return nil }
            case UInt8(ascii: "/"):
                guard length > 0 else { return nil }
                length = 0
            default:
                return nil
            }
        }
        guard length > 0 else { return nil }
        self.text = String(text)
    }

    /// The label in front of a stream's name in the DNS where its encoder pushes.
    public static let ingestLabel = "ingest"

    /// No stream may have this name, because a segment of it is `ingest`: in the DNS it would be an ingest name. A
    /// pattern of the zone matches it all the same.
    public var isReserved: Bool { segments.contains { $0 == Self.ingestLabel } }

    public var segments: [Substring] { text.split(separator: "/") }
    /// `news.live` for `live/news`.
    public var reversedLabels: String { segments.reversed().joined(separator: ".") }
    public var description: String { text }
    public static func < (a: StreamName, b: StreamName) -> Bool { a.text < b.text }

    /// The portset of this stream under `hash(low-high)`: jump consistent hashing of the name's fixed hash selects it.
    public func portset(hashedInto range: ClosedRange<UInt16>) -> PortsetID {
        let buckets = UInt32(range.upperBound) - UInt32(range.lowerBound) + 1
        let bucket = FixedHash.jump(FixedHash.hash(text, purpose: .portset), buckets: buckets)
        return PortsetID(UInt16(UInt32(range.lowerBound) + bucket))
    }
}
