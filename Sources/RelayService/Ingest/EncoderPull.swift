import AsyncHTTPClient
import Logging
import NIOCore
import ReflectorModel

/// Fetches one stream from its encoder over HTTP, again and again: after an end or a failure it waits, twice as long
/// each time, and tries anew.
struct EncoderPull: Sendable {
    private static let waitFirst = TimeSpan.milliseconds(500)
    private static let waitMax = TimeSpan.seconds(15)
    /// A fetch that lasted this long was a good one: the next wait is the first again.
    private static let goodAfter = TimeSpan.seconds(30)
    private static let redirectsMax = 3

    let pull: IngestConfiguration.Pull
    let loop: any EventLoop
    let registry: NIOLoopBound<EncoderRegistry>
    let counters: IngestCounters
    let logger: Logger

    /// Runs until the task is cancelled.
    func run() async {
        var settings = HTTPClient.Configuration(
            redirectConfiguration: .follow(max: Self.redirectsMax, allowCycles: false),
            timeout: .init(connect: .seconds(5), read: .seconds(10)))
        settings.httpVersion = .http1Only
        let client = HTTPClient(eventLoopGroupProvider: .shared(loop), configuration: settings)
        var wait = Self.waitFirst
        while !Task.isCancelled {
            let start = loop.instant
            do {
                try await fetch(client)
                logger.info("pull ended", metadata: ["stream": "\(pull.stream)"])
            } catch {
                if Task.isCancelled { break }
                counters.add(to: .pullFailed)
                logger.warning("pull failed", metadata: ["stream": "\(pull.stream)", "error": "\(error)"])
            }
            if loop.instant - start >= Self.goodAfter { wait = Self.waitFirst }
            // Spread, so that an encoder that comes back is not met by all its pullers at once.
            let spread = TimeSpan.nanoseconds(Int64.random(in: 0...wait.nanoseconds / 4))
            try? await Task.sleep(for: .nanoseconds((wait + spread).nanoseconds))
            wait = min(wait * 2, Self.waitMax)
        }
        try? await client.shutdown()
    }

    private struct StatusRefused: Error { var status: UInt }

    private func fetch(_ client: HTTPClient) async throws {
        var request = HTTPClientRequest(url: pull.url)
        request.headers.add(name: "User-Agent", value: "reflector")
        let response = try await client.execute(request, deadline: .distantFuture, logger: logger)
        guard response.status == .ok else {
            counters.add(to: .pullRefused)
            throw StatusRefused(status: response.status.code)
        }
        let session = try await open()
        do {
            for try await bytes in response.body { try await session.receive(bytes) }
        } catch {
            await session.finish()
            throw error
        }
        await session.finish()
    }

    private func open() async throws -> PulledSession {
        let promise = loop.makePromise(of: PulledSession.self)
        loop.execute {
            registry.value.open(pull.stream) { result in
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

/// A session fed from a task: each piece waits until the session is ready for it.
private struct PulledSession: Sendable {
    private final class State {
        let session: EncoderSession
        var waiter: EventLoopPromise<Void>?
        var isRevoked = false
        init(_ session: EncoderSession) { self.session = session }
    }

    private let state: NIOLoopBound<State>
    private let loop: any EventLoop
    private let closed: EventLoopFuture<Void>

    /// On the loop.
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
            if state.session.isReady { return loop.makeSucceededVoidFuture() }
            let waiter = loop.makePromise(of: Void.self)
            state.waiter = waiter
            return waiter.futureResult
        }.get()
    }

    /// Waits until the last bytes have gone to the sink.
    func finish() async {
        loop.execute { [state] in state.value.session.finish() }
        try? await closed.get()
    }
}
