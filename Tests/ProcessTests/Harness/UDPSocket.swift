import Glibc
import ReflectorModel

/// A plain UDP socket over IPv4, for datagrams that no honest node would send.
struct UDPSocket: Sendable {
    let descriptor: Int32
    let local: Endpoint

    /// The system's error number.
    struct Failure: Error { var number: Int32 }

    /// - Parameter endpoint: where to bind; with port 0 the kernel chooses a port.
    init(_ endpoint: Endpoint) throws {
        let opened = socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var bytes: Int32 = 1 << 20
        setsockopt(opened, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
        var address = Self.address(of: endpoint)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let size = length
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(opened, generic, size) | getsockname(opened, generic, &length)
            }
        }
        guard result == 0 else {
            let number = errno
            Glibc.close(opened)
            throw Failure(number: number)
        }
        descriptor = opened
        local = Self.endpoint(of: address)
    }

    func close() { Glibc.close(descriptor) }

    func send(_ bytes: [UInt8], to endpoint: Endpoint) {
        var address = Self.address(of: endpoint)
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                _ = sendto(
                    descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), generic,
                    socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    /// The next waiting datagram; nil if there is none.
    func receive() -> (bytes: [UInt8], source: Endpoint)? {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        var count = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, filled in
            count = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                    recvfrom(
                        descriptor, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT), generic, &length)
                }
            }
            filled = max(count, 0)
        }
        return count < 0 ? nil : (bytes, Self.endpoint(of: address))
    }

    private static func address(of endpoint: Endpoint) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = endpoint.port.bigEndian
        address.sin_addr.s_addr = endpoint.address.v4.bigEndian
        return address
    }

    private static func endpoint(of address: sockaddr_in) -> Endpoint {
        Endpoint(
            address: IPAddress(v4: UInt32(bigEndian: address.sin_addr.s_addr)),
            port: UInt16(bigEndian: address.sin_port))
    }
}
