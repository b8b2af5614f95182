import Glibc
import NIOCore
import NIOPosix

/// Starts processes, detects when they end, restarts them, and ends them all. Runs on an event loop thread of the
/// process-wide group. That thread never ends; the children would end with it (`ChildProcess`).
public actor ProcessSupervisor {
    struct Program: Sendable {
        var name: String
        /// Path, or a name to look up on the PATH.
        var command: String
        /// Arguments of the nth start, from 0.
        var arguments: @Sendable (Int) -> [String]
        var log: String
    }

    /// The end of a process, not requested by the supervisor.
    public struct Death: Sendable, CustomStringConvertible {
        /// Name of the process.
        public var name: String
        /// How it ended.
        public var exit: ChildProcess.Exit
        public var description: String { "\(name) \(exit)" }

        /// True if a signal from outside ended the process; processes do not send these signals to themselves.
        public var isFromOutside: Bool { [SIGKILL, SIGTERM, SIGINT, SIGHUP].contains { exit == .signal($0) } }
    }

    /// How long a process may take to end after SIGTERM before it is killed.
    static let graceTime = Duration.seconds(3)
    /// Wait before a restart. It doubles from the lower to the upper bound with each consecutive death.
    static let backoff: ClosedRange<Duration> = .milliseconds(500)...(.seconds(8))
    /// The wait is reset after a process has lived this long.
    static let steadyTime = Duration.seconds(20)
    private static let pollInterval = Duration.milliseconds(50)

    private struct Entry {
        var program: Program
        var process: ChildProcess?
        var starts = 0
        var startedAt: ContinuousClock.Instant
        var wait = ProcessSupervisor.backoff.lowerBound
        var restartAt: ContinuousClock.Instant?
    }

    private nonisolated let loop: any EventLoop
    private let reflector: String
    private var entries: [Entry] = []
    /// Programs that run once and are not restarted.
    private var passing: [ChildProcess] = []
    private var isStopping = false
    /// Whether processes that end are restarted. False while the network starts: a process that ends then would only
    /// end again.
    private var restarts = false
    /// Every unrequested end so far, oldest first.
    private(set) var deaths: [Death] = []

    /// The event loop.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.executor.asUnownedSerialExecutor() }

    /// - Parameter reflector: path of our executable.
    init(reflector: String = "/proc/self/exe") {
        loop = MultiThreadedEventLoopGroup.singleton.next()
        self.reflector = reflector
    }

    /// Starts a program and keeps it running until `stop`.
    func start(_ program: Program) throws(ChildProcess.StartFailure) {
        var entry = Entry(program: program, startedAt: .now)
        try launch(&entry)
        entries.append(entry)
    }

    /// From now on, processes that end are restarted.
    func restartWhatEnds() { restarts = true }

    /// Runs a program until it ends. If the task is cancelled, the program continues until `stop`.
    func run(_ program: Program) async throws -> ChildProcess.Exit {
        let process = try spawn(program, start: 0)
        passing.append(process)
        while !isStopping {
            if let exit = process.exit() {
                passing.removeAll { $0.pid == process.pid }
                return exit
            }
            try await Task.sleep(for: Self.pollInterval)
        }
        throw CancellationError()
    }

    /// Process ids of the running programs, by name.
    var processes: [(name: String, pid: pid_t)] {
        entries.compactMap { entry in entry.process.map { (entry.program.name, $0.pid) } }
    }

    /// Detects processes that have ended, and restarts programs when they are due, until cancelled.
    func keep() async {
        while !Task.isCancelled, !isStopping {
            for index in entries.indices { look(after: index) }
            try? await Task.sleep(for: Self.pollInterval)
        }
    }

    /// Ends everything: SIGTERM, then SIGKILL after the grace time. Nothing runs when it returns.
    func stop() async {
        isStopping = true
        let deadline = ContinuousClock.now + Self.graceTime
        var left = passing + entries.compactMap(\.process)
        for process in left { process.send(SIGTERM) }
        var killed = false
        while true {
            left.removeAll { $0.exit() != nil }
            if left.isEmpty { break }
            if !killed, ContinuousClock.now >= deadline {
                killed = true
                for process in left { process.send(SIGKILL) }
            }
            // The wait ignores cancellation, because no child may remain even if the caller gives up.
            _ = try? await loop.scheduleTask(in: .milliseconds(20)) {}.futureResult.get()
        }
        (entries, passing) = ([], [])
    }

    private func launch(_ entry: inout Entry) throws(ChildProcess.StartFailure) {
        entry.process = try spawn(entry.program, start: entry.starts)
        entry.starts += 1
        entry.startedAt = .now
        entry.restartAt = nil
    }

    private func spawn(_ program: Program, start: Int) throws(ChildProcess.StartFailure) -> ChildProcess {
        try ChildProcess.start(
            reflector: reflector, command: program.command, arguments: program.arguments(start), log: program.log)
    }

    private func look(after index: Int) {
        let now = ContinuousClock.now
        if let exit = entries[index].process?.exit() {
            entries[index].process = nil
            deaths.append(Death(name: entries[index].program.name, exit: exit))
            guard restarts else { return }
            if now - entries[index].startedAt >= Self.steadyTime { entries[index].wait = Self.backoff.lowerBound }
            entries[index].restartAt = now + entries[index].wait
            entries[index].wait = min(entries[index].wait * 2, Self.backoff.upperBound)
        } else if let restartAt = entries[index].restartAt, now >= restartAt {
            do {
                try launch(&entries[index])
            } catch {
                entries[index].restartAt = now + Self.backoff.upperBound
            }
        }
    }
}
