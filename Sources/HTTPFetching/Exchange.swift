import NIOCore
import Synchronization

/// One request and its response, shared by libcurl's thread, which writes it, and one task, which reads it.
final class Exchange: Sendable {
    /// The server has to wait while this many bytes are unread.
    static let heldBytesMax = 64 << 10

    private struct State {
        var head: AnswerHead?
        /// Bytes that have not been read yet.
        var body = ByteBuffer()
        var end: Result<Void, HTTPFetchFailure>?
        /// libcurl has more bytes and waits until `body` is read.
        var isPaused = false
        var reader: CheckedContinuation<Void, Never>?

        mutating func takeReader() -> CheckedContinuation<Void, Never>? {
            defer { reader = nil }
            return reader
        }
    }

    let thread: CurlThread
    private let state = Mutex(State())

    init(on thread: CurlThread) { self.thread = thread }

    // MARK: libcurl's thread

    /// The result of receiving bytes.
    enum Receipt {
        case taken
        /// No room: libcurl must deliver them again after `CurlThread.Command.resume`.
        case full
        /// Nobody reads them any more.
        case ended
    }

    var hasEnded: Bool { state.withLock { $0.end != nil } }

    func receive(_ head: AnswerHead) {
        state.withLock { state in
            state.head = head
            return state.takeReader()
        }?.resume()
    }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Receipt {
        let (receipt, reader): (Receipt, CheckedContinuation<Void, Never>?) = state.withLock { state in
            if state.end != nil { return (.ended, nil) }
            guard state.body.readableBytes < Self.heldBytesMax else {
                state.isPaused = true
                return (.full, nil)
            }
            state.body.writeBytes(bytes)
            return (.taken, state.takeReader())
        }
        reader?.resume()
        return receipt
    }

    /// Ends the exchange with `result`; has no effect after the exchange has ended.
    func finish(_ result: Result<Void, HTTPFetchFailure>) {
        state.withLock { state in
            if state.end == nil { state.end = result }
            return state.takeReader()
        }?.resume()
    }

    // MARK: The reading task

    func head() async throws(HTTPFetchFailure) -> AnswerHead {
        await wait { $0.head != nil || $0.end != nil }
        let (head, end) = state.withLock { ($0.head, $0.end) }
        if case .failure(.cancelled) = end { throw .cancelled }
        if let head { return head }
        if case .failure(let failure) = end { throw failure }
        throw .headMalformed
    }

    /// All bytes that have arrived, at least one; nil at the end.
    func bytes() async throws(HTTPFetchFailure) -> ByteBuffer? {
        await wait { $0.body.readableBytes > 0 || $0.end != nil }
        let (bytes, end, isPaused) = state.withLock { state in
            let (bytes, isPaused) = (state.body, state.isPaused)
            (state.body, state.isPaused) = (ByteBuffer(), false)
            return (bytes, state.end, isPaused)
        }
        if isPaused { thread.post(.resume(self)) }
        if bytes.readableBytes > 0 { return bytes }
        try end?.get()
        return nil
    }

    /// Ends the exchange at any point; has no effect after the exchange has ended.
    func cancel() {
        let (reader, isLate): (CheckedContinuation<Void, Never>?, Bool) = state.withLock { state in
            guard state.end == nil else { return (nil, true) }
            state.end = .failure(.cancelled)
            state.body = ByteBuffer()
            return (state.takeReader(), false)
        }
        guard !isLate else { return }
        reader?.resume()
        thread.post(.cancel(self))
    }

    private func wait(for isReady: @Sendable (borrowing State) -> Bool) async {
        await withTaskCancellationHandler {
            while !state.withLock({ isReady($0) }) {
                await withCheckedContinuation { continuation in
                    let mayContinue = state.withLock { state in
                        if isReady(state) { return true }
                        precondition(state.reader == nil, "an answer has one reader")
                        state.reader = continuation
                        return false
                    }
                    if mayContinue { continuation.resume() }
                }
            }
        } onCancel: {
            cancel()
        }
    }
}
