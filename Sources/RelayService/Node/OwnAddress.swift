import Logging
import ReflectorModel

/// Finds out a node's own addresses: asks the name servers until one answers, or takes those of the last run if none
/// does.
struct OwnAddress {
    /// Wait between two look-ups: doubles from the first to the second value.
    static let backoff: ClosedRange<Duration> = .seconds(1)...(.seconds(4))

    let configuration: NodeConfiguration
    let resolver: StubResolver
    let memory: NodeMemory
    let logger: Logger

    /// Where to listen: on every address that the zone gives the host, or where the configuration says. Never empty.
    func find() async throws -> [Endpoint] {
        if let listen = configuration.listen { return Self.both(listen) }
        var complaints = RepeatedComplaint()
        var wait = Self.backoff.lowerBound
        while true {
            let complaint: String
            switch await resolver.addresses(ofHost: configuration.name) {
            case .success(let addresses):
                let usable = addresses.filter { !$0.isLinkLocal }
                if !usable.isEmpty {
                    await memory.keep(addresses: usable)
                    return endpoints(usable)
                }
                complaint =
                    "\(configuration.name).\(resolver.zone): no address in the zone for this host; add an A or AAAA "
                    + "record\(addresses.isEmpty ? "" : " that is not link-local"), or correct the name"
            case .failure(let unanswered):
                complaint = unanswered.description
                let remembered = await memory.addresses
                if !remembered.isEmpty {
                    logger.warning(
                        "no name server answers: using the last addresses",
                        metadata: [
                            "addresses": "\(remembered.map(\.description).joined(separator: ","))",
                            "problem": "\(complaint)",
                        ])
                    return endpoints(remembered)
                }
            }
            if complaints.isDue(complaint) {
                logger.error("own address not found; asking on", metadata: ["problem": "\(complaint)"])
            }
            try await Task.sleep(for: wait)
            wait = min(wait * 2, Self.backoff.upperBound)
        }
    }

    /// What the zone says now; empty where it says nothing, or where the configuration says it.
    func findAgain() async -> [Endpoint] {
        guard configuration.listen == nil else { return [] }
        guard case .success(let addresses) = await resolver.addresses(ofHost: configuration.name) else { return [] }
        return endpoints(addresses.filter { !$0.isLinkLocal })
    }

    private func endpoints(_ addresses: [IPAddress]) -> [Endpoint] {
        addresses.map { Endpoint(address: $0, port: configuration.port) }
    }

    /// `[::]` means every address of the machine: IPv4 gets a socket of its own, as on BSD and whatever
    /// net.ipv6.bindv6only says.
    static func both(_ listen: Endpoint) -> [Endpoint] {
        guard !listen.address.isV4, listen.address.isUnspecified else { return [listen] }
        return [listen, Endpoint(address: IPAddress(v4: 0), port: listen.port)]
    }
}

/// Decides which of many equal complaints are told: the 1st, 2nd, 4th, 8th and so on, and at once every new one.
struct RepeatedComplaint {
    private var last: String?
    private var count = 0

    mutating func isDue(_ complaint: String) -> Bool {
        count = complaint == last ? count + 1 : 1
        last = complaint
        return count & (count - 1) == 0
    }
}
