import Glibc
import ReflectorModel

/// A TCP connection that sends bytes that no HTTP client would send. Its calls block the thread.
final class RawConnection {
    private let descriptor: Int32

    /// - Parameter source: a loopback address to connect from.
    init(_ endpoint: Endpoint, from source: String? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        if let source, let address = IPAddress(source) {
            var own = Self.address(address, port: 0)
            let code = withUnsafeBytes(of: &own) {
                bind(descriptor, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), size)
            }
            guard code == 0 else { throw Failure(code: errno) }
        }
        var target = Self.address(endpoint.address, port: endpoint.port)
        let code = withUnsafeBytes(of: &target) {
            connect(descriptor, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), size)
        }
        guard code == 0 else { throw Failure(code: errno) }
    }

    deinit { close(descriptor) }

    struct Failure: Error { var code: Int32 }

    func send(_ text: String) { _ = Glibc.send(descriptor, text, text.utf8.count, Int32(MSG_NOSIGNAL)) }

    /// Reads until the peer closes, or until no byte arrives for this many milliseconds.
    func read(quiet milliseconds: Int32 = 2_000, max: Int = 1 << 20) -> (text: String, isClosed: Bool) {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while bytes.count < max {
            var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&polled, 1, milliseconds) == 1 else { return (String(decoding: bytes, as: UTF8.self), false) }
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return (String(decoding: bytes, as: UTF8.self), true) }
            bytes += buffer[..<count]
        }
        return (String(decoding: bytes, as: UTF8.self), false)
    }

    private static func address(_ address: IPAddress, port: UInt16) -> sockaddr_in {
        var result = sockaddr_in()
        result.sin_family = sa_family_t(AF_INET)
        result.sin_port = port.bigEndian
        result.sin_addr.s_addr = address.v4.bigEndian
        return result
    }
}
