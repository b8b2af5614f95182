import DatagramIO
import Glibc
import NIOCore
import ReflectorModel

/// An address on which a node cannot listen, with the reason and the remedy.
public struct ListenFailure: Error, CustomStringConvertible {
    public enum Transport: String, Sendable {
        case udp = "UDP"
        case tcp = "TCP"
    }

    /// The purpose of the socket, such as `the relay protocol`.
    public var what: String
    public var endpoint: Endpoint
    public var transport: Transport
    /// The `errno` of the call; 0 if it is not known.
    public var code: Int32
    private var text: String

    /// No interface has the address now; this may change later.
    public var isAddressMissing: Bool { code == EADDRNOTAVAIL || code == EAFNOSUPPORT }

    /// - Parameter cause: an error of `DatagramSocket` or of NIO.
    public init(what: String, endpoint: Endpoint, transport: Transport, cause: any Error) {
        self.what = what
        self.endpoint = endpoint
        self.transport = transport
        switch cause {
        case let error as DatagramError: code = error.code
        case let error as IOError: code = error.errnoCode
        default: code = 0
        }
        text = code == 0 ? "\(cause)" : String(cString: strerror(code))
    }

    public var description: String {
        "cannot listen on \(transport.rawValue) \(endpoint) for \(what): \(text)\(advice.map { "; \($0)" } ?? "")"
    }

    private var advice: String? {
        switch code {
        case EADDRINUSE:
            "another process listens there (ss -\(transport == .udp ? "u" : "t")lpn 'sport = :\(endpoint.port)' shows "
                + "which): stop it, or give another address or port"
        case EADDRNOTAVAIL:
            "no interface of this machine has that address: add it, correct the host's A or AAAA record in the zone, or "
                + "give another address"
        case EACCES:
            "ports below 1024 need CAP_NET_BIND_SERVICE (AmbientCapabilities= in the systemd unit), or another port"
        default: nil
        }
    }

    /// Runs a closure that binds a socket, and adds the socket's purpose to the error if that fails.
    public static func naming<Result>(
        _ what: String, _ endpoint: Endpoint, _ transport: Transport, _ bind: () async throws -> Result
    ) async throws -> Result {
        do {
            return try await bind()
        } catch let error as IOError {
            throw ListenFailure(what: what, endpoint: endpoint, transport: transport, cause: error)
        }
    }
}
