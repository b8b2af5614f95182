import DatagramIO
import Foundation
import ReflectorModel
import Synchronization

/// Detects stalls of the machine: a thread that sleeps briefly in a loop and measures how late it wakes.
final class StallDetector: Sendable {
    private static let nap = TimeSpan.milliseconds(10)

    private let longest = Mutex(TimeSpan.zero)

    init() {
        Thread.detachNewThread { [weak self] in
            while self?.takeNap() != nil {}
        }
    }

    private func takeNap() {
        let due = DatagramLoop.now + Self.nap
        Thread.sleep(forTimeInterval: Self.nap.seconds)
        let lateness = DatagramLoop.now - due
        longest.withLock { $0 = max($0, lateness) }
    }

    /// The longest stall since the last call.
    func take() -> TimeSpan {
        longest.withLock { longest in
            defer { longest = .zero }
            return longest
        }
    }
}
