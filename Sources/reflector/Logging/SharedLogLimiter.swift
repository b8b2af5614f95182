import Foundation
import Glibc
import Logging
import Synchronization

/// The `LogLimiter` of this process, with a clock: checks every line, and reports the omitted lines when a window is
/// over. Sleeps while nothing is omitted.
final class SharedLogLimiter: Sendable {
    /// Messages whose number the operator has chosen (`nameserver --log-queries`).
    private static let unlimited: Set<String> = ["query"]

    private struct State {
        var limiter = LogLimiter()
        var isWaiting = false
    }

    private let state = Mutex(State())
    private let write: @Sendable (Logger.Level, _ message: String, _ omitted: Int) -> Void

    /// - Parameter write: writes a line about the omitted ones.
    init(write: @escaping @Sendable (Logger.Level, _ message: String, _ omitted: Int) -> Void) { self.write = write }

    /// True if the line must be written now.
    func admits(_ event: LogEvent) -> Bool {
        let message = event.message.description
        guard event.level < .critical, !Self.unlimited.contains(message) else { return true }
        let now = Self.now
        let line = LogLimiter.Line(
            file: event.file, line: event.line, isGrave: event.level >= .warning, message: message)
        let (isAdmitted, omissions, mustWait) = state.withLock { state in
            let omissions = state.limiter.expire(at: now)
            let isAdmitted = state.limiter.admits(line, at: now)
            let mustWait = !isAdmitted && !state.isWaiting
            if mustWait { state.isWaiting = true }
            return (isAdmitted, omissions, mustWait)
        }
        writeAll(omissions)
        if mustWait {
            let delay = Double(LogLimiter.windowNanoseconds) / 1e9
            DispatchQueue.global(qos: .utility).asyncAfter(deadline: .now() + delay) { [self] in windowEnded() }
        }
        return isAdmitted
    }

    private func windowEnded() {
        let omissions = state.withLock { state in
            state.isWaiting = false
            return state.limiter.expire(at: Self.now)
        }
        writeAll(omissions)
    }

    private func writeAll(_ omissions: [LogLimiter.Omission]) {
        for omission in omissions {
            write(
                omission.isGrave ? .warning : .info,
                "\(omission.message) … and \(omission.count) more like it in the last \(omission.seconds) s",
                omission.count)
        }
    }

    private static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
