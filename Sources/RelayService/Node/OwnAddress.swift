import Logging
import ReflectorModel

/// Finds out a node's own address: asks the name servers until one answers, or takes the address of the last run if
/// none does.
struct OwnAddress {
    /// Wait between two look-ups: doubles from the first to the second value.
    static let backoff: ClosedRange<Duration> = .seconds(1)...(.seconds(4))

    let configuration: NodeConfiguration
    let resolver: StubResolver
    let memory: NodeMemory
    let logger: Logger

    func find() async throws -> Endpoint {
        if let listen = configuration.listen { return listen }
        var complaints = RepeatedComplaint()
        var wait = Self.backoff.lowerBound
        while true {
            let complaint: String
            switch await resolver.addresses(ofHost: configuration.name) {
            case .success(let addresses):
                if let address = addresses.first {
                    await memory.keep(address: address)
                    return Endpoint(address: address, port: configuration.port)
                }
                complaint =
                    "\(configuration.name).\(resolver.zone): no address in the zone for this host; add an A or AAAA "
                    + "record, or correct the name"
            case .failure(let unanswered):
                complaint = unanswered.description
                if let address = await memory.address {
                    logger.warning(
                        "no name server answers: using the last address",
                        metadata: ["address": "\(address)", "problem": "\(complaint)"])
                    return Endpoint(address: address, port: configuration.port)
                }
            }
            if complaints.isDue(complaint) {
                logger.error("own address not found; asking on", metadata: ["problem": "\(complaint)"])
            }
            try await Task.sleep(for: wait)
            wait = min(wait * 2, Self.backoff.upperBound)
        }
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
