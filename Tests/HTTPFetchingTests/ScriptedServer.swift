import Foundation
import Glibc
import Synchronization

/// A server on loopback whose answers are scripts: each connection has its own thread, which reads the head of the
/// request and then runs the script.
final class ScriptedServer: Sendable {
    private let listener: Int32
    let port: UInt16
    private let heads = Mutex<[String]>([])

    /// The requests in order of arrival: each head, with the part of the body that arrived with it.
    var requests: [String] { heads.withLock { $0 } }

    init(_ script: @escaping @Sendable (Connection) -> Void) throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f31_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                if bind(listener, address, length) != 0 || listen(listener, 512) != 0 { return Int32(-1) }
                return getsockname(listener, address, &length)
            }
        }
        guard code == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        port = UInt16(bigEndian: address.sin_port)
        Thread.detachNewThread { [self] in
            while true {
                let descriptor = accept(listener, nil, nil)
                // Only this thread closes the listener, so no other socket can get its descriptor while it is in use.
                guard descriptor >= 0 else {
                    close(listener)
                    return
                }
                Thread.detachNewThread {
                    let connection = Connection(descriptor)
                    let head = connection.readHead()
                    self.heads.withLock { $0.append(head) }
                    script(connection)
                    close(descriptor)
                }
            }
        }
    }

    func url(_ path: String = "/") -> String { "http://127.49.0.1:\(port)\(path)" }

    /// Ends the accepting thread: from now on connections are refused.
    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }
}

/// One connection of a `ScriptedServer`.
final class Connection: Sendable {
    private let descriptor: Int32

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    func readHead() -> String {
        var head: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while !String(decoding: head, as: UTF8.self).contains("\r\n\r\n") {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            head += buffer[..<count]
        }
        return String(decoding: head, as: UTF8.self)
    }

    /// Returns false if the client has closed the connection.
    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// Waits until the client closes the connection, for 20 s at most. Returns false if it did not.
    func waitForClose() -> Bool {
        var timeout = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var byte: UInt8 = 0
        while true {
            let count = read(descriptor, &byte, 1)
            if count == 0 || (count < 0 && errno == ECONNRESET) { return true }
            if count < 0, errno != EINTR { return false }
        }
    }
}

/// Runs `body` while a server runs.
func withServer<R>(
    _ script: @escaping @Sendable (Connection) -> Void, _ body: (ScriptedServer) async throws -> R
) async throws -> R {
    let server = try ScriptedServer(script)
    defer { server.stop() }
    return try await body(server)
}
