import DatagramIO
import Logging
import ReflectorModel

/// Logs datagrams that the kernel refuses to send: at most one line in 10 s for each socket while the cause stays the
/// same, with the number of failures since the previous line.
struct SendFailureLog {
    private static let span = TimeSpan.seconds(10)

    private struct Logged {
        var total: UInt64 = 0
        var logged: UInt64 = 0
        var code: Int32 = 0
        var at: MonotonicInstant?
    }
    /// One entry for each socket, by the socket's tag.
    private var sockets: [Logged] = []

    /// Number of send failures of the socket as of the last call of `note`.
    func total(_ tag: Int) -> UInt64 { tag < sockets.count ? sockets[tag].total : 0 }

    mutating func note(_ socket: DatagramSocket, at now: MonotonicInstant, _ logger: Logger) {
        while sockets.count <= socket.tag { sockets.append(Logged()) }
        let total = socket.statistics.sendFailuresTotal
        sockets[socket.tag].total = total
        guard let failure = socket.lastFailure else { return }
        let last = sockets[socket.tag]
        if let at = last.at, last.code == failure.code, now - at < Self.span { return }
        logger.warning(
            "datagrams not sent",
            metadata: [
                "socket": "\(socket.local)", "count": "\(total &- last.logged)", "problem": "\(failure)",
            ])
        sockets[socket.tag] = Logged(total: total, logged: total, code: failure.code, at: now)
    }
}
