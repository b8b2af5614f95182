/// A condition that did not hold in time.
public struct NeverCame: Error, CustomStringConvertible {
    public var what: String
    /// The last error that the condition threw, or another reason.
    public var last: String

    public init(what: String, last: String) {
        self.what = what
        self.last = last
    }

    public var description: String { "expected: \(what); last: \(last)" }
}

/// Polls until there is an answer, for at most `limit`; then throws `NeverCame`. It polls at least twice.
/// - Parameter ask: returns nil for "not yet"; an error counts as "not yet", too.
@discardableResult
public func eventually<Value>(
    _ what: String, within limit: Duration = .seconds(10), every interval: Duration = .milliseconds(50),
    isolation: isolated (any Actor)? = #isolation, _ ask: () async throws -> Value?
) async throws -> Value {
    let deadline = ContinuousClock.now + limit
    var last = "nothing yet"
    var isLast = false
    repeat {
        isLast = ContinuousClock.now >= deadline
        do {
            if let value = try await ask() { return value }
        } catch {
            last = "\(error)"
        }
        try await Task.sleep(for: interval)
    } while !isLast
    throw NeverCame(what: what, last: last)
}

/// Polls until the condition holds, for at most `limit`; then throws `NeverCame`.
public func eventually(
    _ what: String, within limit: Duration = .seconds(10), every interval: Duration = .milliseconds(50),
    isolation: isolated (any Actor)? = #isolation, isSo: () async throws -> Bool
) async throws {
    try await eventually(what, within: limit, every: interval) { try await isSo() ? () : nil } as Void
}

/// Waits until the condition holds, for at most `limit`. Returns how long it took; nil if it took too long. An error
/// that the condition throws ends the wait.
public func elapsed(
    within limit: Duration, every interval: Duration = .milliseconds(10),
    isolation: isolated (any Actor)? = #isolation, until isSo: () async throws -> Bool
) async throws -> Duration? {
    let start = ContinuousClock.now
    while ContinuousClock.now - start < limit {
        if try await isSo() { return ContinuousClock.now - start }
        try await Task.sleep(for: interval)
    }
    return nil
}

/// Whether the condition holds within `limit`.
public func eventually(
    within limit: Duration = .seconds(10), isolation: isolated (any Actor)? = #isolation,
    _ condition: () async -> Bool
) async -> Bool {
    (try? await elapsed(within: limit, every: .milliseconds(5)) { await condition() }) ?? nil != nil
}
