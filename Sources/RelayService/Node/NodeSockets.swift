import DatagramIO
import Glibc
import Logging
import ReflectorModel

/// Opens a node's sockets, one for each of its addresses. A missing address does not block the others: it is retried
/// until it exists.
struct NodeSockets: Sendable {
    /// How long a start waits for an address that no interface has yet: duplicate address detection takes a second or
    /// two.
    static let patience = Duration.seconds(3)
    private static let patienceStep = Duration.milliseconds(250)
    /// The intervals at which missing addresses are retried, and at which the zone is queried for new ones.
    static let retryInterval = Duration.seconds(5)
    static let askInterval = Duration.seconds(60)

    let logger: Logger

    /// The opened sockets and the missing addresses. Throws if no socket could be opened.
    func open(_ wanted: [Endpoint]) async throws -> (open: [DatagramSocket], missing: [Endpoint]) {
        let deadline = ContinuousClock.now + Self.patience
        while true {
            var (open, missing): ([DatagramSocket], [Endpoint]) = ([], [])
            var failure: ListenFailure?
            // `[::]:0` and 0.0.0.0 share the port that the first one gets.
            var port: UInt16?
            for var endpoint in wanted {
                if endpoint.port == 0, let port { endpoint.port = port }
                do throws(DatagramError) {
                    let socket = try DatagramSocket(bind: endpoint, options: .relay)
                    port = port ?? socket.local.port
                    open.append(socket)
                } catch {
                    let problem = ListenFailure(
                        what: "the relay protocol", endpoint: endpoint, transport: .udp, cause: error)
                    // Another process on one of the addresses is an error, even if the others can be opened.
                    guard error.mayPass else { throw problem }
                    failure = failure ?? problem
                    missing.append(endpoint)
                }
            }
            if missing.isEmpty { return (open, []) }
            // If the kernel has no IPv6, there is nothing to wait for; IPv4 has no duplicate address detection.
            let isHopeless = missing.allSatisfy { endpoint in
                endpoint.address.isV4 || wanted.contains { $0.isTwin(of: endpoint) }
            }
            if !open.isEmpty, isHopeless || .now >= deadline {
                for endpoint in missing {
                    logger.warning(
                        "own address missing: listening on the others, and retrying",
                        metadata: [
                            "address": "\(endpoint)",
                            "listening": "\(open.map(\.local.description).joined(separator: ","))",
                            "remedy": "add it to an interface, or correct the host's A and AAAA records in the zone",
                        ])
                }
                return (open, missing)
            }
            if let failure, .now >= deadline || !missing.contains(where: { !$0.address.isV4 }) { throw failure }
            open = []
            try await Task.sleep(for: Self.patienceStep)
        }
    }

    /// A socket on a missing address, if the address exists now.
    func openNow(_ endpoint: Endpoint) -> sending DatagramSocket? {
        try? DatagramSocket(bind: endpoint, options: .relay)
    }
}

extension DatagramError {
    /// The address or its family does not exist now, but may later.
    fileprivate var mayPass: Bool { [EADDRNOTAVAIL, EAFNOSUPPORT, ENODEV, ENETDOWN].contains(code) }
}

extension Endpoint {
    /// True if these are `[::]` and 0.0.0.0, in either order.
    fileprivate func isTwin(of other: Endpoint) -> Bool {
        address.isUnspecified && other.address.isUnspecified && address.isV4 != other.address.isV4
    }
}
