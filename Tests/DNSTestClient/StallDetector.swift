import Foundation
import Glibc
import Synchronization

/// Tells whether the host itself stood still while something was measured: on every processor a thread sleeps for 2 ms
/// over and over, and notes how late it wakes.
public final class StallDetector: Sendable {
    /// A measurement during which the host stood still for longer says nothing of what was measured.
    public static let stallMax = Duration.milliseconds(100)
    /// Measurements made at most.
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

    /// Watches until `end`.
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

    /// Ends the measurement. Returns the longest delay with which a thread woke. A thread that should be awake by now
    /// counts, too: it has not run because its processor stands still.
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

    /// Measures how long something takes. Repeats the measurement, at most `measurementsMax` times in all, if it missed
    /// its limit and the host stood still meanwhile. Returns the last measurement; the test compares it.
    ///
    /// - Parameters:
    ///   - limit: the time that it may take.
    ///   - measure: gets the number of the measurement, from 0. Returns nil if it gave up.
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
            print("\(what): \(took.map { "\($0)" } ?? "given up"), but the host stood still for \(stall): repeated")
        }
        return last
    }

    private typealias Affinity = @convention(c) (pid_t, Int, UnsafeMutableRawPointer) -> Int32

    /// The processors that this process may use; only number 0 if the system does not say.
    private static var processors: [Int] {
        var set = cpu_set_t()
        guard let get = affinity("sched_getaffinity"), get(0, MemoryLayout<cpu_set_t>.size, &set) == 0 else {
            return [0]
        }
        return withUnsafeBytes(of: &set) { bytes in
            (0..<bytes.count * 8).filter { bytes[$0 / 8] & 1 << UInt8($0 % 8) != 0 }
        }
    }

    /// Binds the calling thread to one processor: the system would wake it on another while its own stands still.
    private static func stay(on processor: Int) {
        var set = cpu_set_t()
        withUnsafeMutableBytes(of: &set) { $0[processor / 8] = 1 << UInt8(processor % 8) }
        _ = affinity("sched_setaffinity")?(0, MemoryLayout<cpu_set_t>.size, &set)
    }

    /// A function of Linux that the headers for Swift do not declare.
    private static func affinity(_ name: String) -> Affinity? {
        dlsym(nil, name).map { unsafeBitCast($0, to: Affinity.self) }
    }
}
