/// Which of its streams a node tells in one status: it may have 16,384, and telling them takes its event loop's time.
public struct StreamPage: Sendable, Equatable {
    /// Most streams in a page, and how many there are if nothing is said.
    public static let countMax = 1_024
    public static let countDefault = 256

    /// Where to go on: 0, or the `nextStreams` of the page before. A place in the node's table, so that none is told
    /// twice or left out because another has come or gone since.
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

    /// The one that has the links too: they are told once.
    public var isFirst: Bool { from == 0 }
}
