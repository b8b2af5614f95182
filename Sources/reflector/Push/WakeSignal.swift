import Glibc

/// A descriptor that one thread polls and others make readable. It lives as long as the process.
struct WakeSignal: Sendable {
    /// Readable after `raise`, until `clear`.
    let descriptor: Int32
    private let writeEnd: Int32

    init() throws(HTTPPush.Failure) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw .system("pipe", errno) }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        descriptor = ends[0]
        writeEnd = ends[1]
    }

    func raise() {
        // A full pipe is readable already.
        var byte: UInt8 = 0
        _ = write(writeEnd, &byte, 1)
    }

    func clear() {
        var bytes = [UInt8](repeating: 0, count: 4_096)
        while read(descriptor, &bytes, bytes.count) == bytes.count {}
    }
}
