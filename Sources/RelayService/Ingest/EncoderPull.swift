import HTTPFetching
import Logging
import NIOCore
import ReflectorModel

/// Fetches one stream from its encoder over HTTP: the first time at once, because viewers may wait for an elected
/// entrypoint. After an end or a failure it retries; the wait doubles each time.
struct EncoderPull: Sendable {
    private static let waitFirst = TimeSpan.milliseconds(500)
    private static let waitMax = TimeSpan.seconds(15)
    /// A fetch that lasted this long resets the wait.
    private static let goodAfter = TimeSpan.seconds(30)
    private static let redirectsMax = 5
    private static let connectTimeout = Duration.seconds(5)
    /// An encoder that is silent for this long is considered dead.
    private static let idleTimeout = Duration.seconds(10)

    let pull: IngestConfiguration.Pull
    let loop: any EventLoop
    let registry: NIOLoopBound<EncoderRegistry>
    let counters: IngestCounters
    let logger: Logger

    /// Runs until the task is cancelled.
    func run() async {
        guard let address = PullAddress(pull.url) else {
            return logger.error("cannot pull: not an http or https URL", metadata: ["stream": "\(pull.stream)"])
        }
        var wait = Self.waitFirst
        while !Task.isCancelled {
            let start = loop.instant
            do {
                try await fetch(address)
                if Task.isCancelled { break }
                logger.info("pull ended", metadata: ["stream": "\(pull.stream)", "url": "\(address.redacted)"])
            } catch {
                if Task.isCancelled { break }
                counters.add(to: .pullFailed)
                logger.warning(
                    "pull failed",
                    metadata: ["stream": "\(pull.stream)", "url": "\(address.redacted)", "error": "\(error)"])
            }
            if loop.instant - start >= Self.goodAfter { wait = Self.waitFirst }
            // Random jitter, so that not all pullers reconnect at once when the encoder returns.
            let spread = TimeSpan.nanoseconds(Int64.random(in: 0...wait.nanoseconds / 4))
            try? await Task.sleep(for: .nanoseconds((wait + spread).nanoseconds))
            wait = min(wait * 2, Self.waitMax)
        }
    }

    /// What is wrong with an encoder's answer.
    private enum Failure: Error, CustomStringConvertible {
        case status(UInt)
        case noLocation
        case redirectLoop
        case tooManyRedirects
        case notTransportStream(String?)

        var description: String {
            switch self {
            case .status(401):
                "the encoder answers 401: give user and password, --pull STREAM=http://USER:PASSWORD@HOST/…"
            case .status(let code): "the encoder answers \(code)"
            case .noLocation: "the encoder redirects without a Location"
            case .redirectLoop: "the encoder's redirects form a loop"
            case .tooManyRedirects: "the encoder redirects more than \(EncoderPull.redirectsMax) times"
            case .notTransportStream(let type):
                "the encoder does not send MPEG-TS\(type.map { ": its Content-Type is \($0)" } ?? "")"
            }
        }
    }

    private func fetch(_ address: PullAddress) async throws {
        let answer = try await answer(address)
        let session = try await open()
        do {
            for try await bytes in answer.body { try await session.receive(bytes) }
        } catch {
            await session.finish()
            guard await session.isJunk else { throw error }
            throw Failure.notTransportStream(answer.headers.first(name: "content-type"))
        }
        await session.finish()
        if await session.isJunk { throw Failure.notTransportStream(answer.headers.first(name: "content-type")) }
    }

    /// Requests the stream, and follows the encoder's redirects.
    private func answer(_ first: PullAddress) async throws -> HTTPAnswer {
        var address = first
        var seen: Set<PullAddress> = [first]
        while true {
            var request = HTTPFetch(address.url)
            (request.connectTimeout, request.idleTimeout) = (Self.connectTimeout, Self.idleTimeout)
            request.headers.add(name: "User-Agent", value: "reflector")
            request.headers.add(name: "Accept", value: "*/*")
            request.headers.add(name: "Connection", value: "close")
            if let authorization = address.authorization {
                request.headers.add(name: "Authorization", value: authorization)
            }
            let answer = try await request.answer()
            switch answer.status {
            case 200: return answer
            // Accepted: the range begins at the stream's first byte, as for a request without a Range field.
            case 206 where answer.headers.first(name: "content-range")?.hasPrefix("bytes 0-") == true: return answer
            case 301, 302, 303, 307, 308:
                guard let location = answer.headers.first(name: "location") else { throw Failure.noLocation }
                address = try address.following(location)
                guard seen.insert(address).inserted else { throw Failure.redirectLoop }
                guard seen.count <= Self.redirectsMax + 1 else { throw Failure.tooManyRedirects }
            case let code:
                counters.add(to: .pullRefused)
                throw Failure.status(code)
            }
        }
    }

    private func open() async throws -> PulledSession {
        let promise = loop.makePromise(of: PulledSession.self)
        loop.execute {
            registry.value.open(pull.stream, from: EncoderOrigin(input: .pull)) { result in
                switch result {
                case .success(let session):
                    promise.succeed(PulledSession(session, registry: registry.value, loop: loop))
                case .failure(let refusal): promise.fail(refusal)
                }
            }
        }
        return try await promise.futureResult.get()
    }
}

/// A session that a task feeds: after each piece, the task waits until the session is ready for the next one.
private struct PulledSession: Sendable {
    private final class State {
        let session: EncoderSession
        var waiter: EventLoopPromise<Void>?
        var isRevoked = false
        var isJunk = false
        init(_ session: EncoderSession) { self.session = session }
    }

    private let state: NIOLoopBound<State>
    private let loop: any EventLoop
    private let closed: EventLoopFuture<Void>

    /// Call it on the loop.
    init(_ session: EncoderSession, registry: EncoderRegistry, loop: any EventLoop) {
        let state = State(session)
        let closed = loop.makePromise(of: Void.self)
        session.onReadiness = { ready in
            guard ready else { return }
            state.waiter?.succeed()
            state.waiter = nil
        }
        session.onClose = {
            registry.remove(session)
            closed.succeed()
        }
        session.onJunk = {
            state.isRevoked = true
            state.isJunk = true
        }
        session.onRevoked = {
            state.isRevoked = true
            state.waiter?.fail(ChannelError.alreadyClosed)
            state.waiter = nil
            closed.succeed()
        }
        self.state = NIOLoopBound(state, eventLoop: loop)
        self.loop = loop
        self.closed = closed.futureResult
    }

    func receive(_ bytes: ByteBuffer) async throws {
        try await loop.flatSubmit { [loop, state] () -> EventLoopFuture<Void> in
            let state = state.value
            if state.isRevoked { return loop.makeFailedFuture(ChannelError.alreadyClosed) }
            state.session.receive(bytes)
            if state.isRevoked { return loop.makeFailedFuture(ChannelError.alreadyClosed) }
            if state.session.isReady { return loop.makeSucceededVoidFuture() }
            let waiter = loop.makePromise(of: Void.self)
            state.waiter = waiter
            return waiter.futureResult
        }.get()
    }

    /// Ends the input, and waits until the last bytes have gone to the sink.
    func finish() async {
        loop.execute { [state] in state.value.session.finish() }
        try? await closed.get()
    }

    /// True if the session ended because too many bytes in a row were not MPEG-TS, or if none of the bytes received so
    /// far were MPEG-TS.
    var isJunk: Bool {
        get async {
            (try? await loop.submit { [state] in
                let session = state.value.session
                return state.value.isJunk || (!session.hasFoundPackets && session.bytesReceived > 0)
            }.get()) ?? false
        }
    }
}
