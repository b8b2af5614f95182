import Glibc
import Synchronization

/// Writes the log lines of this process, and never waits. Where nobody reads them (a log collector that has stopped, a
/// paused terminal), a pipe is full after 64 KiB, and the thread that logs, often the one that carries packets, would
/// stand still until somebody does. A line for which there is no room is left out; the next that goes through is preceded
/// by one that says how many were.
final class LogWriter: Sendable {
    /// A pipe or socket that says it has room takes this many bytes at once (PIPE_BUF, pipe(7)).
    private static let pieceBytes = 4_096

    private struct State {
        var omitted = 0
        /// The last line ends in the middle.
        var isTorn = false
    }

    private let descriptor: Int32
    private let omission: @Sendable (_ lines: Int) -> String
    private let state = Mutex(State())

    /// - Parameter omission: the line, without its end, that says how many lines were left out.
    init(descriptor: Int32 = STDERR_FILENO, omission: @escaping @Sendable (_ lines: Int) -> String) {
        self.descriptor = descriptor
        self.omission = omission
    }

    /// Writes a line, given without its end, or leaves it out.
    func write(_ line: String) {
        state.withLock { state in
            if state.omitted > 0 {
                guard put(omission(state.omitted), &state) else { return state.omitted += 1 }
                state.omitted = 0
            }
            if !put(line, &state) { state.omitted += 1 }
        }
    }

    /// False if not all of it was written.
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
