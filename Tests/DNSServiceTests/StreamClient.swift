import Glibc
import LDNSKit

/// A TCP connection to a name server that a test controls.
final class StreamClient {
    struct Failure: Error {
        var why: String
    }

    private let socket: Int32
    private var received: [UInt8] = []

    /// - Parameters:
    ///   - source: local address; nil for any.
    init(_ address: String, port: UInt16, from source: String? = nil, seconds: Int = 5) throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var patience = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        if let source {
            var name = Self.name(source, 0)
            _ = withUnsafeBytes(of: &name) {
                bind(socket, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
            }
        }
        var name = Self.name(address, port)
        let code = withUnsafeBytes(of: &name) {
            connect(socket, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
        }
        guard code == 0 else {
            close(socket)
            throw Failure(why: "connect: \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(socket) }

    private static func name(_ address: String, _ port: UInt16) -> sockaddr_in {
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        inet_pton(AF_INET, address, &name.sin_addr)
        return name
    }

    func send(raw bytes: [UInt8]) throws {
        guard Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            throw Failure(why: "send: \(String(cString: strerror(errno)))")
        }
    }

    func send(_ message: [UInt8]) throws {
        try send(raw: [UInt8(message.count >> 8), UInt8(message.count & 255)] + message)
    }

    /// The next message; nil at the end of the stream. Throws if it is not complete within 30 s.
    func message() throws -> [UInt8]? {
        let deadline = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < deadline {
            if received.count >= 2 {
                let length = Int(received[0]) << 8 | Int(received[1])
                if received.count >= 2 + length {
                    defer { received.removeFirst(2 + length) }
                    return Array(received[2..<(2 + length)])
                }
            }
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = recv(socket, &buffer, buffer.count, 0)
            if count == 0 || count < 0 && errno == ECONNRESET { return nil }
            guard count > 0 else { throw Failure(why: "recv: \(String(cString: strerror(errno)))") }
            received += buffer[..<count]
        }
        throw Failure(why: "no complete message within 30 s")
    }
}
