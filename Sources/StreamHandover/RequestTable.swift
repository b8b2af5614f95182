import ReflectorModel

/// One that requests streams: a viewer at a streaming server, or the server itself.
struct Requester: Hashable, Sendable {
    /// Longest accepted id.
    static let idLengthMax = 128

    /// The server's address.
    var server: IPAddress
    /// How the server names its viewer, with the kind of hook in front; empty for the server itself.
    var id: String

    /// Nil unless the id consists of printable ASCII characters, at most `idLengthMax`.
    init?(server: IPAddress, id: String) {
        guard id.utf8.count <= Self.idLengthMax, id.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else { return nil }
        (self.server, self.id) = (server, id)
    }
}

/// The requests in force, by destination. Each expires unless it is renewed; a destination without requests ends.
struct RequestTable {
    /// Requests for one destination.
    private struct Entry {
        let stream: StreamName
        var expiries: [Requester: MonotonicInstant] = [:]
    }

    /// Effect of a request.
    enum Effect: Equatable {
        /// The destination gets the stream from now on.
        case begun
        /// The destination gets it already.
        case joined
        case renewed
    }

    private let requestsMax: Int
    private let requestsPerServerMax: Int
    /// At most `outputsMax` of the configuration: the caller asks `count` first.
    private var entries: [Endpoint: Entry] = [:]
    private var countOfServer: [IPAddress: Int] = [:]
    private(set) var requestCount = 0

    init(requestsMax: Int, requestsPerServerMax: Int) {
        self.requestsMax = requestsMax
        self.requestsPerServerMax = requestsPerServerMax
    }

    /// Number of destinations.
    var count: Int { entries.count }

    /// The stream that a destination gets; nil for none.
    func stream(at destination: Endpoint) -> StreamName? { entries[destination]?.stream }

    /// The destinations of a stream, in order.
    func destinations(of stream: StreamName) -> [Endpoint] {
        entries.filter { $0.value.stream == stream }.map(\.key).sorted()
    }

    /// The number of requests for a destination, and the servers that they come from, in order.
    func requests(for destination: Endpoint) -> (count: Int, servers: [IPAddress]) {
        guard let entry = entries[destination] else { return (0, []) }
        return (entry.expiries.count, Set(entry.expiries.keys.map(\.server)).sorted())
    }

    func holds(_ requester: Requester, for destination: Endpoint) -> Bool {
        entries[destination]?.expiries[requester] != nil
    }

    /// Adds or renews a request. The destination must be free, or have the same stream.
    mutating func ask(
        _ stream: StreamName, at destination: Endpoint, by requester: Requester, until expiry: MonotonicInstant
    ) throws(HandoverRefusal) -> Effect {
        let isNew = entries[destination] == nil
        if entries[destination]?.expiries[requester] != nil {
            entries[destination]?.expiries[requester] = expiry
            return .renewed
        }
        guard requestCount < requestsMax, countOfServer[requester.server] ?? 0 < requestsPerServerMax else {
            throw .tooManyRequests
        }
        entries[destination, default: Entry(stream: stream)].expiries[requester] = expiry
        countOfServer[requester.server, default: 0] += 1
        requestCount += 1
        return isNew ? .begun : .joined
    }

    /// Ends the requests of one requester for a stream, at one destination or at all. Returns how many there were, and
    /// the destinations that nobody requests any more.
    mutating func withdraw(
        _ stream: StreamName, at destination: Endpoint?, by requester: Requester
    ) -> (count: Int, ended: [Endpoint]) {
        let places = destination.map { [$0] } ?? destinations(of: stream)
        var count = 0
        for place in places where entries[place]?.stream == stream && holds(requester, for: place) {
            remove(requester, at: place)
            count += 1
        }
        return (count, removeUnused(places))
    }

    /// Ends all requests of one requester.
    mutating func withdrawAll(of requester: Requester) -> (count: Int, ended: [Endpoint]) {
        let places = entries.filter { $0.value.expiries[requester] != nil }.map(\.key).sorted()
        for place in places { remove(requester, at: place) }
        return (places.count, removeUnused(places))
    }

    /// Extends all requests of a server whose ids begin with `prefix`. Returns how many there are.
    mutating func renewAll(of server: IPAddress, prefix: String, until expiry: MonotonicInstant) -> Int {
        var count = 0
        for place in entries.keys {
            for (requester, end) in entries[place]?.expiries ?? [:]
            where requester.server == server && requester.id.hasPrefix(prefix) {
                entries[place]?.expiries[requester] = max(end, expiry)
                count += 1
            }
        }
        return count
    }

    /// Ends the requests whose time is over.
    mutating func expire(at now: MonotonicInstant) -> (count: Int, ended: [Endpoint]) {
        var count = 0
        for place in entries.keys {
            for (requester, end) in entries[place]?.expiries ?? [:] where end <= now {
                remove(requester, at: place)
                count += 1
            }
        }
        return (count, count == 0 ? [] : removeUnused(Array(entries.keys)))
    }

    /// Ends a destination with all its requests.
    mutating func end(_ destination: Endpoint) {
        for requester in entries[destination]?.expiries.keys.map({ $0 }) ?? [] { remove(requester, at: destination) }
        entries[destination] = nil
    }

    private mutating func remove(_ requester: Requester, at destination: Endpoint) {
        guard entries[destination]?.expiries.removeValue(forKey: requester) != nil else { return }
        requestCount -= 1
        let left = (countOfServer[requester.server] ?? 1) - 1
        countOfServer[requester.server] = left > 0 ? left : nil
    }

    private mutating func removeUnused(_ places: [Endpoint]) -> [Endpoint] {
        let unused = places.filter { entries[$0]?.expiries.isEmpty ?? false }.sorted()
        for place in unused { entries[place] = nil }
        return unused
    }
}
