import DatagramIO
import Foundation
import Glibc
import ReflectorModel

/// A loop on a thread of its own, on one processor and at a real-time priority, so that other work on the machine does
/// not affect the measurement.
struct LoopThread<Handler: DatagramHandler & SendableMetatype>: Sendable {
    let loop: DatagramLoop
    let bound: LoopBound<Handler>

    /// - Parameters:
    ///   - processor: number of the processor.
    ///   - priority: of the round-robin scheduler, 1 to 99; a higher one runs first. Without the right to use it, the
    ///     thread runs like any other, and a line says so.
    init(
        _ loop: DatagramLoop, _ handler: sending Handler, name: String, processor: Int, priority: Int32
    ) throws {
        self.loop = loop
        bound = try loop.start(handler: handler, name: name)
        loop.execute {
            if let problem = Self.pin(to: processor) { ResultsFile.say("\(name): not on one processor: \(problem)") }
            var parameter = sched_param(sched_priority: priority)
            if sched_setscheduler(0, SCHED_RR, &parameter) != 0 {
                ResultsFile.say("\(name): no real-time priority: \(String(cString: strerror(errno)))")
            }
        }
    }

    /// Moves the calling thread to a processor, by a program, since Swift does not see sched_setaffinity(2). Returns why
    /// that failed.
    private static func pin(to processor: Int) -> String? {
        do {
            let thread = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self")
            guard let id = thread.split(separator: "/").last else { return "no thread id in \(thread)" }
            let program = Process()
            program.executableURL = URL(fileURLWithPath: "/usr/bin/taskset")
            program.arguments = ["-cp", "\(processor)", String(id)]
            program.standardOutput = FileHandle.nullDevice
            try program.run()
            program.waitUntilExit()
            return program.terminationStatus == 0 ? nil : "taskset failed"
        } catch {
            return "\(error)"
        }
    }

    /// Runs work on the loop's thread.
    func call<Result: Sendable>(_ work: @Sendable @escaping (Handler) -> Result) async throws -> Result {
        let bound = bound
        guard let result = await loop.query({ work(bound.value) }) else {
            throw Companion.Failure(description: "a loop has ended")
        }
        return result
    }

    /// CPU time of the thread so far.
    func cpu() async throws -> TimeSpan {
        try await call { _ in TimeSpan(nanoseconds: Int64(TimedIdentityCrypto.Ledger.time())) }
    }

    func end() {
        loop.stop()
        loop.join()
    }
}
