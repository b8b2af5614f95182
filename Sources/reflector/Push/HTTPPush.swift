import DatagramIO
import Glibc
import ReflectorModel

/// One `PUT` of a stream of unknown length, over a plain blocking socket. It forwards each chunk at once and buffers
/// nothing.
struct HTTPPush: Sendable {
    enum Failure: Error, CustomStringConvertible {
        case system(String, Int32)
        /// The entrypoint's answer.
        case refused(String)
        /// The source ended early.
        case brokenOff
        /// So many bytes waited for the entrypoint that it was disconnected.
        case tooSlow

        var description: String {
            switch self {
            case .system(let what, let code): "\(what): \(String(cString: strerror(code)))"
            case .refused(let answer): "the entrypoint answers: \(answer)"
            case .brokenOff: "the command that makes the stream has failed"
            case .tooSlow: "the entrypoint takes the stream too slowly"
            }
        }
    }

    /// How long an entrypoint may keep a thread waiting. Without one, the thread waits as long as the kernel does.
    struct Patience: Sendable {
        var connectMilliseconds: Int
        /// How often a send that does not proceed asks whether to go on.
        var sendMilliseconds: Int
        /// Bytes that the entrypoint's kernel has not acknowledged for so long end the connection.
        var silenceMilliseconds: Int32
    }

    private static let chunkBytes = 65_536
    private static let answerBytesMax = 4_096
    /// How long to wait for the answer to the complete request.
    private static let answerMilliseconds: Int32 = 5_000

    let stream: StreamName
    let to: Endpoint
    let key: String

    /// Sends until the source ends. Throws if the entrypoint does not accept the whole stream.
    /// - Parameter isWhole: called at the end; if it returns false, the request is left unfinished, because the source
    /// ended early.
    func run(from source: Int32, isWhole: () -> Bool) throws(Failure) {
        let connection = try open()
        defer { close(connection) }
        var buffer = [UInt8](repeating: 0, count: Self.chunkBytes)
        while true {
            guard try hasInput(source, connection) else { continue }
            let count = read(source, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            try send(Self.chunk(buffer[..<count]), to: connection)
        }
        guard isWhole() else { throw .brokenOff }
        try finish(connection)
    }

    /// Connects and sends the head of the request.
    /// - Returns: the connection, for the caller to close.
    func open(_ patience: Patience? = nil) throws(Failure) -> Int32 {
        let connection = try connect(patience)
        do throws(Failure) {
            try send(
                Array(
                    ("PUT /\(stream) HTTP/1.1\r\nHost: \(to)\r\nAuthorization: Bearer \(key)\r\n"
                        + "Content-Type: video/mp2t\r\nTransfer-Encoding: chunked\r\n\r\n").utf8), to: connection)
        } catch {
            close(connection)
            throw error
        }
        return connection
    }

    /// The bytes as one chunk of a request's body.
    static func chunk(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var chunk = Array("\(String(bytes.count, radix: 16))\r\n".utf8)
        chunk.append(contentsOf: bytes)
        chunk.append(contentsOf: "\r\n".utf8)
        return chunk
    }

    /// Waits until the source has bytes or has ended. False if it has neither after all, or the time is over.
    /// Throws if the entrypoint answers first: before the end, that means a refusal.
    func hasInput(_ source: Int32, _ connection: Int32, milliseconds: Int32 = -1) throws(Failure) -> Bool {
        var polled = [
            pollfd(fd: source, events: Int16(POLLIN), revents: 0),
            pollfd(fd: connection, events: Int16(POLLIN), revents: 0),
        ]
        guard poll(&polled, 2, milliseconds) >= 0 || errno == EINTR else { throw .system("poll", errno) }
        if polled[1].revents != 0 { throw .refused(answer(connection)) }
        return polled[0].revents != 0
    }

    /// Ends the request. Throws if the entrypoint does not confirm it.
    func finish(_ connection: Int32) throws(Failure) {
        try send(Array("0\r\n\r\n".utf8), to: connection)
        var polled = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
        guard poll(&polled, 1, Self.answerMilliseconds) == 1 else { throw .refused("nothing") }
        let answer = self.answer(connection)
        guard answer.hasPrefix("HTTP/1.1 200") else { throw .refused(answer) }
    }

    private func connect(_ patience: Patience?) throws(Failure) -> Int32 {
        let family = to.address.isV4 ? AF_INET : AF_INET6
        let connection = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard connection >= 0 else { throw .system("socket", errno) }
        if let patience {
            Self.limitSends(connection, milliseconds: patience.connectMilliseconds)
            var silence = patience.silenceMilliseconds
            setsockopt(
                connection, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, &silence, socklen_t(MemoryLayout<Int32>.size))
        }
        guard RawSocketAddress.with(to, { Glibc.connect(connection, $0, $1) }) == 0 else {
            // The kernel calls a connection that took longer than the limit "in progress".
            let failure = Failure.system("\(to)", errno == EINPROGRESS ? ETIMEDOUT : errno)
            close(connection)
            throw failure
        }
        if let patience { Self.limitSends(connection, milliseconds: patience.sendMilliseconds) }
        return connection
    }

    private static func limitSends(_ connection: Int32, milliseconds: Int) {
        var limit = timeval(tv_sec: milliseconds / 1_000, tv_usec: milliseconds % 1_000 * 1_000)
        setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    /// - Parameter mayWait: asked when the entrypoint does not take the bytes at once, if a patience was given; false
    /// gives up.
    func send(_ bytes: [UInt8], to connection: Int32, mayWait: () -> Bool = { true }) throws(Failure) {
        var count = 0
        while count < bytes.count {
            let sent = bytes[count...].withUnsafeBytes {
                Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if sent < 0, errno == EINTR { continue }
            if sent < 0, errno == EAGAIN {
                guard mayWait() else { throw .tooSlow }
                continue
            }
            guard sent > 0 else {
                let code = errno
                let text = self.answer(connection)
                throw text.isEmpty ? .system("\(to)", code) : .refused(text)
            }
            count += sent
            guard count == bytes.count || mayWait() else { throw .tooSlow }
        }
    }

    /// The status line and the last line of the answer so far.
    private func answer(_ connection: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: Self.answerBytesMax)
        let count = recv(connection, &buffer, buffer.count, 0)
        guard count > 0 else { return "" }
        let lines = String(decoding: buffer[..<count], as: UTF8.self).split(whereSeparator: \.isNewline)
        guard let first = lines.first else { return "" }
        return lines.count > 1 && lines.last?.contains(":") != true
            ? "\(first): \(lines[lines.count - 1])" : String(first)
    }
}
