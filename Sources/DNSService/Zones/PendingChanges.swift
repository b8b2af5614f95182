import DNSAnswers
import Synchronization

/// Changes that are not yet in the answers. They come from several sources and are applied together, under one serial.
final class PendingChanges: Sendable {
    struct Batch: Sendable {
        /// The files must be read again.
        var areFilesChanged = false
        /// New health states, if any.
        var health: ProberReport?
        var overrides: Overrides?

        var isEmpty: Bool { !areFilesChanged && health == nil && overrides == nil }
    }

    private let batch = Mutex(Batch())
    private let signal: AsyncStream<Void>.Continuation
    /// Yields when a change is pending; one reader.
    let signals: AsyncStream<Void>

    init() { (signals, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1)) }

    func filesChanged() { note { $0.areFilesChanged = true } }
    func healthChanged(_ report: ProberReport) { note { $0.health = report } }
    func overridesChanged(_ overrides: Overrides) { note { $0.overrides = overrides } }

    /// Returns and clears all pending changes.
    func take() -> Batch {
        batch.withLock { batch in
            defer { batch = Batch() }
            return batch
        }
    }

    func finish() { signal.finish() }

    private func note(_ change: (inout sending Batch) -> Void) {
        batch.withLock { change(&$0) }
        signal.yield()
    }
}

extension HostStates {
    /// These states, updated by `batch`.
    func updated(by batch: PendingChanges.Batch) -> HostStates {
        var result = self
        if let report = batch.health {
            (result.probing, result.health, result.leads) = (report.probing, report.health, report.leads)
        }
        if let overrides = batch.overrides { result.overrides = overrides }
        return result
    }
}
