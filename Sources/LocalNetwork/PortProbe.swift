import Glibc
import NIOCore
import ReflectorModel

/// Checks whether a process listens on a TCP port of this machine.
enum PortProbe {
    /// Returns false if the check fails: the process that binds the port will then report the problem.
    static func isInUse(_ endpoint: Endpoint) -> Bool {
        let port = Int(endpoint.port)
        guard let address = try? SocketAddress(ipAddress: "\(endpoint.address)", port: port) else { return false }
        return address.withSockAddr { address, length in
            let descriptor = socket(Int32(address.pointee.sa_family), Int32(SOCK_STREAM.rawValue), 0)
            guard descriptor >= 0 else { return false }
            defer { close(descriptor) }
            // With SO_REUSEADDR, closed connections of an earlier run do not make the bind fail; a listener does.
            var isReused: Int32 = 1
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &isReused, socklen_t(MemoryLayout<Int32>.size))
            return bind(descriptor, address, socklen_t(length)) != 0 && errno == EADDRINUSE
        }
    }
}
