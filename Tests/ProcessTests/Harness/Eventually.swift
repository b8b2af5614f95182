/// An awaited event did not happen.
struct NeverCame: Error, CustomStringConvertible {
    var what: String
    var last: String
    var description: String { "\(what) did not come; last: \(last)" }
}

/// Polls until there is an answer, with a time limit.
/// - Parameter ask: nil for "not yet".
func eventually<Value>(
    _ what: String, within limit: Duration = .seconds(10), every interval: Duration = .milliseconds(50),
    isolation: isolated (any Actor)? = #isolation, _ ask: () async throws -> Value?
) async throws -> Value {
    let deadline = ContinuousClock.now + limit
    var last = "nothing yet"
    while true {
        do {
            if let value = try await ask() { return value }
        } catch {
            last = "\(error)"
        }
        guard ContinuousClock.now < deadline else { throw NeverCame(what: what, last: last) }
        try await Task.sleep(for: interval)
    }
}

/// Polls until a condition holds, with a time limit.
func eventually(
    _ what: String, within limit: Duration = .seconds(10), every interval: Duration = .milliseconds(50),
    isolation: isolated (any Actor)? = #isolation, isSo: () async throws -> Bool
) async throws {
    _ = try await eventually(what, within: limit, every: interval) { try await isSo() ? () : nil }
}
