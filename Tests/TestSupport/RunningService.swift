import Synchronization

/// A service that ended before it was ready.
public struct NeverReady: Error {}

/// Runs a service, calls `body` once the service is ready, and stops it, however `body` ends.
///
/// - Parameters:
///   - limit: how long the service may take to become ready.
///   - run: runs the service until it is stopped or cancelled, and reports when and where it is ready.
///   - stop: stops the service; if it is nil, the service's task is cancelled.
///   - body: receives what `run` has reported.
public func withRunningService<Ready: Sendable, Result>(
    within limit: Duration = .seconds(30), isolation: isolated (any Actor)? = #isolation,
    run: @escaping @Sendable (@escaping @Sendable (Ready) -> Void) async throws -> Void,
    stop: (@Sendable () async -> Void)? = nil, _ body: (Ready) async throws -> Result
) async throws -> Result {
    let start = ServiceStart<Ready>()
    let running = Task {
        defer { start.end() }
        try await run { start.announce($0) }
    }
    func end() async throws {
        if let stop { await stop() } else { running.cancel() }
        try await running.value
    }
    do {
        let ready = try await eventually("the service", within: limit, every: .milliseconds(2)) { start.state }
        guard let ready = ready.value else {
            try await running.value
            throw NeverReady()
        }
        let result = try await body(ready)
        do { try await end() } catch  where stop == nil {}
        return result
    } catch {
        try? await end()
        throw error
    }
}

/// The state of a service's start.
private final class ServiceStart<Ready: Sendable>: Sendable {
    /// Ready with a value, or ended without one.
    struct State: Sendable { var value: Ready? }

    private let stored = Mutex<State?>(nil)

    var state: State? { stored.withLock { $0 } }
    func announce(_ value: Ready) { stored.withLock { $0 = $0 ?? State(value: value) } }
    func end() { stored.withLock { $0 = $0 ?? State(value: nil) } }
}
