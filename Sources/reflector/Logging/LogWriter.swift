import Glibc
import Synchronization

/// Writes the log lines of this process, and never blocks. If nobody reads them (a stopped log collector, a paused
/// terminal), a pipe is full after 64 KiB, and the logging thread, often the packet loop, would block until somebody
/// reads. If there is no room, a line is omitted; the next written line is preceded by one with the number of omitted
/// lines.
final class LogWriter: Sendable {
    /// A pipe or socket that is ready for writing accepts this many bytes at once (PIPE_BUF, pipe(7)).
    private static let pieceBytes = 4_096

    private struct State {
        var omitted = 0
        /// Only a part of the last line was written.
        var isTorn = false
    }

    private let descriptor: Int32
    private let omission: @Sendable (_ lines: Int) -> String
    private let state = Mutex(State())

    /// - Parameter omission: makes the line, without its line end, that reports the number of omitted lines.
    init(descriptor: Int32 = STDERR_FILENO, omission: @escaping @Sendable (_ lines: Int) -> String) {
        self.descriptor = descriptor
        self.omission = omission
    }

    /// Writes a line, given without its line end, or omits it.
    func write(_ line: String) {
        state.withLock { state in
            if state.omitted > 0 {
                guard put(omission(state.omitted), &state) else { return state.omitted += 1 }
                state.omitted = 0
            }
            if !put(line, &state) { state.omitted += 1 }
        }
    }

    /// False if only a part of it, or nothing, was written.
    private func put(_ line: String, _ state: inout State) -> Bool {
        let bytes = Array(((state.isTorn ? "\n" : "") + line + "\n").utf8)
        var count = 0
        while count < bytes.count {
            let piece = bytes[count..<min(count + Self.pieceBytes, bytes.count)]
            let wrote = hasRoom ? piece.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) } : -1
            guard wrote > 0 else {
                if count > 0 { state.isTorn = true }
                return false
            }
            count += wrote
        }
        state.isTorn = false
        return true
    }

    private var hasRoom: Bool {
        var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return poll(&request, 1, 0) > 0 && request.revents & Int16(POLLOUT) != 0
    }
}
