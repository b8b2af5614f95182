/// Selects which of its streams a node reports in one status. A node may have 16,384 streams, and reporting them takes
/// time on its event loop.
public struct StreamPage: Sendable, Equatable {
    /// Maximum number of streams in a page; `countDefault` is the default.
    public static let countMax = 1_024
    public static let countDefault = 256

    /// Where to continue: 0, or the `nextStreams` of the previous page. It is a position in the node's table, so no
    /// stream is reported twice or skipped if others are added or removed between two pages.
    public let from: Int
    public let count: Int
    /// Only these streams, at most `countMax`, whatever their position; nil for all.
    public let names: [StreamName]?

    /// Nil if there is no such page: `from` must not be negative, and `count` must be 0 to `countMax`.
    public init?(from: Int = 0, count: Int = countDefault) {
        guard from >= 0, (0...Self.countMax).contains(count) else { return nil }
        (self.from, self.count, names) = (from, count, nil)
    }

    /// The streams of these names that the node has.
    public init(named names: [StreamName]) { (from, count, self.names) = (0, 0, Array(names.prefix(Self.countMax))) }

    private init(_ count: Int) { (from, self.count, names) = (0, count, nil) }

    public static let first = StreamPage(countDefault)
    /// A page without streams: the status then has only the other fields.
    public static let none = StreamPage(0)

    /// True for the first page, which alone also reports the links.
    public var isFirst: Bool { from == 0 && names == nil }
}
