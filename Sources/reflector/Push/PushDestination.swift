import Foundation
import Glibc
import Synchronization

/// One of several destinations of a push, with its own thread. It connects again by itself, and never keeps the reader
/// of the source or the other destinations waiting.
final class PushDestination: Sendable {
    private static let patience = HTTPPush.Patience(
        connectMilliseconds: 2_000, sendMilliseconds: 200, silenceMilliseconds: 3_000)
    /// How often a pause between two attempts asks whether the source has ended.
    private static let pauseStep = Duration.milliseconds(50)

    let push: HTTPPush
    private let backlog = Mutex(ChunkBacklog())
    private let news: WakeSignal
    private let ended: WakeSignal
    private let result = Mutex<Bool?>(nil)

    /// - Parameter ended: raised when the thread has ended.
    init(_ push: HTTPPush, ended: WakeSignal) throws(HTTPPush.Failure) {
        self.push = push
        self.ended = ended
        news = try WakeSignal()
    }

    /// Once the thread has ended: whether the destination accepted the rest of the stream.
    var accepted: Bool? { result.withLock { $0 } }

    func start() {
        let thread = Thread { [self] in
            let accepted = run()
            result.withLock { $0 = accepted }
            ended.raise()
        }
        thread.name = "push"
        thread.start()
    }

    func append(_ chunk: ChunkBacklog.Chunk) {
        backlog.withLock { $0.append(chunk) }
        news.raise()
    }

    /// The source has ended; if not whole, the command that makes the stream failed.
    func end(isWhole: Bool) {
        backlog.withLock { $0.end(isWhole: isWhole) }
        news.raise()
    }

    private func run() -> Bool {
        var retries = PushRetries()
        while true {
            do throws(HTTPPush.Failure) {
                return try request(&retries)
            } catch {
                let hasEnded = backlog.withLock { backlog in
                    backlog.disconnected()
                    return backlog.hasEnded
                }
                let (pause, tells) = retries.failed(error)
                if tells { tell("\(cause(error))\(hasEnded ? "" : "; trying again")") }
                guard !hasEnded, sleep(pause) else { return false }
            }
        }
    }

    /// One request, from its connection to the end of the stream.
    /// - Returns: whether the stream was whole and accepted.
    private func request(_ retries: inout PushRetries) throws(HTTPPush.Failure) -> Bool {
        let connection = try push.open(Self.patience)
        defer { close(connection) }
        let start = ContinuousClock.now
        backlog.withLock { $0.connected() }
        while true {
            if start.duration(to: .now) >= PushRetries.accepted { succeeded(&retries) }
            switch backlog.withLock({ $0.next() }) {
            case .chunk(let chunk):
                // Without this, an entrypoint that has answered would be sent chunks as long as it reads them.
                _ = try push.hasInput(news.descriptor, connection, milliseconds: 0)
                try push.send(chunk.framed, to: connection) { !backlog.withLock { $0.isBehind } }
            case .nothing:
                if try push.hasInput(news.descriptor, connection) { news.clear() }
            case .behind:
                throw .tooSlow
            case .end(isWhole: true):
                try push.finish(connection)
                succeeded(&retries)
                return true
            case .end(isWhole: false):
                return false
            }
        }
    }

    private func succeeded(_ retries: inout PushRetries) {
        guard retries.succeeded() else { return }
        let dropped = backlog.withLock { $0.takeDropped() }
        tell("receives the stream again; \(dropped) bytes were dropped, besides those on their way")
    }

    /// False if the source ends meanwhile.
    private func sleep(_ pause: Duration) -> Bool {
        let end = ContinuousClock.now + pause
        while ContinuousClock.now < end {
            if backlog.withLock({ $0.hasEnded }) { return false }
            Thread.sleep(forTimeInterval: Self.pauseStep / .seconds(1))
        }
        return true
    }

    private func cause(_ failure: HTTPPush.Failure) -> String {
        switch failure {
        case .system(_, let code): String(cString: strerror(code))
        case .refused(""): "the connection is lost"
        default: failure.description
        }
    }

    private func tell(_ text: String) { StandardError.print("reflector: \(push.to): \(text)") }
}
