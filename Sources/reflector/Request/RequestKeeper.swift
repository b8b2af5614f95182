import Glibc
import ReflectorModel

/// Keeps a request in force, and runs a command while the stream comes.
actor RequestKeeper {
    private static let retryInterval = Duration.seconds(2)
    private static let lookInterval = Duration.milliseconds(100)
    /// Time for the command to end after SIGTERM.
    private static let patience = Duration.seconds(3)

    private let request: StreamRequest
    private let command: [String]
    private var child: RequestChild?
    private var printed = ""
    private var complained = ""

    init(request: StreamRequest, command: [String]) {
        self.request = request
        self.command = command
    }

    /// Runs until the task is cancelled, the edge refuses for good, or the command ends. Returns the exit status.
    func run() async -> Int32 {
        let interval = Duration.seconds(request.seconds) / 3
        var isComing = false
        while !Task.isCancelled {
            var wait = interval
            switch await request.ask() {
            case .accepted(let url, let isFlowing):
                isComing = isComing || isFlowing
                if isComing, let code = await begin(url) { return code }
                // The edge does not hold the answer until the stream comes.
                if !isComing { wait = Self.lookInterval }
                complained = ""
            case .refused(let reason, isFinal: true):
                StandardError.print("reflector: \(request.edge) refuses \(request.stream): \(reason)")
                return 1
            case .refused(let reason, isFinal: false), .unreachable(let reason):
                complain(reason)
                wait = Self.retryInterval
            }
            if let code = await pause(wait) { return code }
        }
        return 0
    }

    /// Ends the command and withdraws the request.
    func finish() async {
        if let child {
            child.send(SIGTERM)
            let deadline = ContinuousClock.now + Self.patience
            while child.exitCode == nil, ContinuousClock.now < deadline { await Self.sleep(Self.lookInterval) }
            child.send(SIGKILL)
        }
        await request.withdraw()
    }

    /// Prints the address, and starts the command if there is one. Returns an exit status if it cannot be started.
    private func begin(_ url: String) async -> Int32? {
        if printed != url {
            if command.isEmpty { PlainOutput.write(url + "\n", to: .standardOutput) }
            printed = url
        }
        guard !command.isEmpty, child == nil else { return nil }
        do {
            child = try await RequestChild.start(command.map { $0.replacing("{url}", with: url) })
            return nil
        } catch {
            StandardError.print("reflector: \(error)")
            return 127
        }
    }

    /// One line for each new reason.
    private func complain(_ reason: String) {
        guard complained != reason else { return }
        StandardError.print("reflector: \(request.stream) does not come from \(request.edge): \(reason)")
        complained = reason
    }

    /// Returns the command's exit status if it ends meanwhile.
    private func pause(_ duration: Duration) async -> Int32? {
        let end = ContinuousClock.now + duration
        repeat {
            if let child, let code = child.exitCode {
                self.child = nil
                return code
            }
            let left = end - .now
            guard left > .zero else { return nil }
            await Self.sleep(child == nil ? left : min(left, Self.lookInterval))
        } while !Task.isCancelled
        return nil
    }

    private static func sleep(_ duration: Duration) async {
        // A cancelled task would not sleep at all; the callers look at the cancellation themselves.
        await Task.detached { try? await Task.sleep(for: min(duration, .milliseconds(500))) }.value
    }
}
