/// The page of streams that one status reports: a node may have 16,384, and reporting them takes its event loop's time.
public struct StreamPage: Sendable, Equatable {
    /// Most streams in a page, and the default.
    public static let countMax = 1_024
    public static let countDefault = 256

    /// Where to go on: 0, or the `nextStreams` of the page before. A position in the node's table, so that none is
    /// reported twice or left out because another was added or removed in between.
    public let from: Int
    public let count: Int

    /// Nil if there is no such page: `from` must not be negative, and `count` be 0 to `countMax`.
    public init?(from: Int = 0, count: Int = countDefault) {
        guard from >= 0, (0...Self.countMax).contains(count) else { return nil }
        (self.from, self.count) = (from, count)
    }

    private init(_ count: Int) { (from, self.count) = (0, count) }

    public static let first = StreamPage(countDefault)
    /// The node alone.
    public static let none = StreamPage(0)

    /// The page that also reports the links, so that they are reported once.
    public var isFirst: Bool { from == 0 }
}
