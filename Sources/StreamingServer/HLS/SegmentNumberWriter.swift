import Logging
import ReflectorModel
import Synchronization

/// Decides when to write the numbers of playlists to their file: soon after a time line or a discontinuity began,
/// otherwise only every few seconds, because numbers that are a little old are corrected when they are read.
final class SegmentNumberWriter: Sendable {
    private struct State {
        var saved: [StreamName: SegmentNumbering] = [:]
        var savedAt = ContinuousClock.now
        var hasFailed = false
    }

    private static let interval = Duration.seconds(5)

    private let file: SegmentNumberFile
    private let state = Mutex(State())

    init(file: SegmentNumberFile) { self.file = file }

    /// The saved numbers, and whether they are complete.
    func load(now: Int64, logger: Logger) -> (numbers: [StreamName: SegmentNumbering], isComplete: Bool) {
        let (numbers, problem) = file.load(now: now)
        if let problem { logger.warning("numbers of playlists", metadata: ["problem": "\(problem)"]) }
        return (numbers, problem == nil)
    }

    /// Writes the numbers if they are due.
    func keep(_ numbers: [StreamName: SegmentNumbering], isLast: Bool, now: Int64, logger: Logger) {
        let clock = ContinuousClock.now
        let isDue = state.withLock { state in
            guard numbers != state.saved else { return false }
            let isTurn = numbers.contains { name, numbering in
                guard let saved = state.saved[name] else { return true }
                return saved.lead != numbering.lead || saved.discontinuities != numbering.discontinuities
            }
            guard isLast || isTurn || clock - state.savedAt >= Self.interval else { return false }
            state.saved = numbers
            state.savedAt = clock
            return true
        }
        guard isDue else { return }
        do {
            try file.save(numbers, now: now)
            state.withLock { $0.hasFailed = false }
        } catch {
            let isFirst = state.withLock { state in
                defer { state.hasFailed = true }
                return !state.hasFailed
            }
            guard isFirst else { return }
            logger.warning(
                "numbers of playlists cannot be saved: after a restart of this edge they skip ahead",
                metadata: ["file": "\(file.path)", "error": "\(error)"])
        }
    }
}
