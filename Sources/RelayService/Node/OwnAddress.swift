import Logging
import ReflectorModel

/// Finds a node's own addresses: queries the name servers until one answers, or uses the addresses of the last run if
/// none does.
struct OwnAddress {
    /// Wait between two look-ups: doubles from the lower to the upper bound.
    static let backoff: ClosedRange<Duration> = .seconds(1)...(.seconds(4))

    let configuration: NodeConfiguration
    let resolver: StubResolver
    let memory: NodeMemory
    let logger: Logger

    /// Where to listen: every address that the zone has for the host, or the configured one. Never empty.
    func find() async throws -> [Endpoint] {
        if let listen = configuration.listen { return Self.both(listen) }
        var limiter = RepeatLimiter()
        var wait = Self.backoff.lowerBound
        while true {
            let problem: String
            switch await resolver.addresses(ofHost: configuration.name) {
            case .success(let addresses):
                let usable = addresses.filter { !$0.isLinkLocal }
                if !usable.isEmpty {
                    await memory.keep(addresses: usable)
                    return endpoints(usable)
                }
                problem =
                    "\(configuration.name).\(resolver.zone): no address in the zone for this host; add an A or AAAA "
                    + "record\(addresses.isEmpty ? "" : " that is not link-local"), or correct the name"
            case .failure(let unanswered):
                problem = unanswered.description
                let remembered = await memory.addresses
                if !remembered.isEmpty {
                    logger.warning(
                        "no name server answers: using the last addresses",
                        metadata: [
                            "addresses": "\(remembered.map(\.description).joined(separator: ","))",
                            "problem": "\(problem)",
                        ])
                    return endpoints(remembered)
                }
            }
            if limiter.isDue(problem) {
                logger.error("own address not found; retrying", metadata: ["problem": "\(problem)"])
            }
            try await Task.sleep(for: wait)
            wait = min(wait * 2, Self.backoff.upperBound)
        }
    }

    /// The addresses in the zone now; empty if it has none, if no name server answers, or if the address is configured.
    func findAgain() async -> [Endpoint] {
        guard configuration.listen == nil else { return [] }
        guard case .success(let addresses) = await resolver.addresses(ofHost: configuration.name) else { return [] }
        return endpoints(addresses.filter { !$0.isLinkLocal })
    }

    private func endpoints(_ addresses: [IPAddress]) -> [Endpoint] {
        addresses.map { Endpoint(address: $0, port: configuration.port) }
    }

    /// `[::]` means every address of the machine: IPv4 gets a socket of its own, as on BSD, whatever
    /// net.ipv6.bindv6only is.
    static func both(_ listen: Endpoint) -> [Endpoint] {
        guard !listen.address.isV4, listen.address.isUnspecified else { return [listen] }
        return [listen, Endpoint(address: IPAddress(v4: 0), port: listen.port)]
    }
}

/// Decides which of many equal problems are logged: the 1st, 2nd, 4th, 8th and so on, and every new problem at once.
struct RepeatLimiter {
    private var last: String?
    private var count = 0

    mutating func isDue(_ problem: String) -> Bool {
        count = problem == last ? count + 1 : 1
        last = problem
        return count & (count - 1) == 0
    }
}
