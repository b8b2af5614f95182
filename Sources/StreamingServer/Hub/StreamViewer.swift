import NIOCore
import Synchronization

/// One viewer of a stream, or one request that waits for it. It leaves at the latest when it is deallocated.
final class StreamViewer: Sendable {
    /// Result of waiting.
    enum Waited {
        case bytes([ByteBuffer])
        case playlist(String)
        case over(LiveStreamState.Ending)
        case timedOut
    }

    let stream: LiveStream
    /// The stream was not here yet when the viewer came.
    let isCold: Bool
    private let hub: LiveStreamHub
    private let number: UInt64
    private let hasLeft = Atomic(false)

    init(hub: LiveStreamHub, stream: LiveStream, number: UInt64, isCold: Bool) {
        self.hub = hub
        self.stream = stream
        self.number = number
        self.isCold = isCold
    }

    deinit { leave() }

    /// Removes this viewer; a suspended read returns.
    func leave() {
        guard !hasLeft.exchange(true, ordering: .relaxed) else { return }
        stream.detach(number)
        hub.viewerLeft()
    }

    /// The next bytes of the stream, or that there are none now.
    func readNow() -> LiveStreamState.Reading { stream.read(number) }

    /// The next bytes of the stream; nil at its end, after a cancellation, or when this viewer was too slow.
    func next() async -> [ByteBuffer]? {
        guard case .bytes(let bytes) = await next(deadline: nil) else { return nil }
        return bytes
    }

    /// The next bytes of the stream, or what happened instead.
    func next(deadline: ContinuousClock.Instant?) async -> Waited {
        while !Task.isCancelled {
            switch stream.read(number) {
            case .bytes(let bytes): return .bytes(bytes)
            case .over(let ending): return .over(ending)
            case .overrun: return .over(.ended("viewer too slow"))
            case .nothingYet:
                if let deadline, deadline <= .now { return .timedOut }
                await stream.suspend(number, until: .bytes, deadline: deadline)
            }
        }
        return .over(.ended("cancelled"))
    }

    /// The media playlist, as soon as it lists enough for players to start.
    /// - Parameters:
    ///   - firstByte: until when to wait for the stream's first byte.
    ///   - deadline: until when to wait for the playlist.
    func playlist(firstByte: ContinuousClock.Instant, deadline: ContinuousClock.Instant) async -> Waited {
        while !Task.isCancelled {
            if let text = stream.playlist { return .playlist(text) }
            if let ending = stream.ending { return .over(ending) }
            let now = ContinuousClock.now
            let limit = stream.isCold && firstByte > now ? min(firstByte, deadline) : deadline
            if limit <= now || (stream.isCold && firstByte <= now) { return .timedOut }
            await stream.suspend(number, until: .playlist, deadline: limit)
        }
        return .over(.ended("cancelled"))
    }
}
