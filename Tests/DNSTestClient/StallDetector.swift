import Foundation
import Glibc
import Synchronization

/// Detects whether the host itself stalled during a measurement: on every processor a thread sleeps for 2 ms
/// repeatedly, and records how late it wakes.
public final class StallDetector: Sendable {
    /// If the host stalled for longer than this, the measurement is not meaningful.
    public static let stallMax = Duration.milliseconds(100)
    /// Maximum number of measurements.
    public static let measurementsMax = 3
    private static let nap = Duration.milliseconds(2)

    private struct State {
        var longest = Duration.zero
        var hasEnded = false
        /// When each thread went to sleep.
        var asleep: [ContinuousClock.Instant]

        mutating func note(_ thread: Int, at now: ContinuousClock.Instant) {
            longest = max(longest, now - asleep[thread] - nap)
            asleep[thread] = now
        }
    }

    private let state: Mutex<State>

    /// Starts the measurement, which runs until `end`.
    public init() {
        let processors = Self.processors
        state = Mutex(State(asleep: processors.map { _ in .now }))
        for (thread, processor) in processors.enumerated() {
            Thread.detachNewThread { [self] in
                Self.stay(on: processor)
                while watches(thread) { usleep(UInt32(Self.nap.components.attoseconds / 1_000_000_000_000)) }
            }
        }
    }

    /// Ends the measurement. Returns the longest wake-up delay of a thread. A thread that should be awake by now counts
    /// too: it has not run because its processor is stalled.
    public func end() -> Duration {
        state.withLock { state in
            for thread in state.asleep.indices { state.note(thread, at: .now) }
            state.hasEnded = true
            return state.longest
        }
    }

    private func watches(_ thread: Int) -> Bool {
        state.withLock { state in
            state.note(thread, at: .now)
            return !state.hasEnded
        }
    }

    /// Measures how long something takes. If a measurement exceeds its limit and the host stalled meanwhile, it is
    /// repeated, up to `measurementsMax` measurements in all. Returns the last measurement, for the test to check.
    ///
    /// - Parameters:
    ///   - limit: the maximum time.
    ///   - measure: receives the number of the measurement, starting at 0. Returns nil if it gave up.
    public static func measure(
        _ what: String, limit: Duration, isolation: isolated (any Actor)? = #isolation,
        _ measure: (_ number: Int) async throws -> Duration?
    ) async throws -> Duration? {
        var last: Duration?
        for number in 0..<measurementsMax {
            let detector = StallDetector()
            let took: Duration?
            do {
                took = try await measure(number)
            } catch {
                _ = detector.end()
                throw error
            }
            let stall = detector.end()
            last = took
            let isMissed = took.map { $0 >= limit } ?? true
            guard isMissed, stall > stallMax, number + 1 < measurementsMax else { return took }
            print("\(what): \(took.map { "\($0)" } ?? "no result"), but the host stalled for \(stall); repeating it")
        }
        return last
    }

    private typealias Affinity = @convention(c) (pid_t, Int, UnsafeMutableRawPointer) -> Int32

    /// The processors that this process may use; only number 0 if the system does not report them.
    private static var processors: [Int] {
        var set = cpu_set_t()
        guard let get = affinity("sched_getaffinity"), get(0, MemoryLayout<cpu_set_t>.size, &set) == 0 else {
            return [0]
        }
        return withUnsafeBytes(of: &set) { bytes in
            (0..<bytes.count * 8).filter { bytes[$0 / 8] & 1 << UInt8($0 % 8) != 0 }
        }
    }

    /// Binds the calling thread to one processor: otherwise the system would wake it on another while its own is
    /// stalled.
    private static func stay(on processor: Int) {
        var set = cpu_set_t()
        withUnsafeMutableBytes(of: &set) { $0[processor / 8] = 1 << UInt8(processor % 8) }
        _ = affinity("sched_setaffinity")?(0, MemoryLayout<cpu_set_t>.size, &set)
    }

    /// A Linux function that Swift's headers do not declare.
    private static func affinity(_ name: String) -> Affinity? {
        dlsym(nil, name).map { unsafeBitCast($0, to: Affinity.self) }
    }
}
