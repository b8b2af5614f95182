import DatagramIO
import Logging
import ReflectorModel

/// Tells in the log what the kernel refuses to send: at most once in 10 s for each socket and cause, with how many there
/// were since the last time.
struct SendLog {
    private static let span = TimeSpan.seconds(10)

    private struct Told {
        var total: UInt64 = 0
        var logged: UInt64 = 0
        var code: Int32 = 0
        var at: MonotonicInstant?
    }
    /// By the sockets' tags: as many as sockets.
    private var sockets: [Told] = []

    /// Failures of the socket that `note` has seen.
    func told(_ tag: Int) -> UInt64 { tag < sockets.count ? sockets[tag].total : 0 }

    mutating func note(_ socket: DatagramSocket, at now: MonotonicInstant, _ logger: Logger) {
        while sockets.count <= socket.tag { sockets.append(Told()) }
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
        sockets[socket.tag] = Told(total: total, logged: total, code: failure.code, at: now)
    }
}
