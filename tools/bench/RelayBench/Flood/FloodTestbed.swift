import DatagramIO
import Glibc
import NodeIdentity
import ReflectorModel

/// A set reflector on one processor, and an entrypoint with its children on another, over the loopback network.
struct FloodTestbed {
    /// The processor of the set reflector, and that of everything else.
    static let processor = 0
    static let otherProcessor = 1

    let net: Int
    let network: BenchOperator
    private let parentIdentity: BenchIdentity

    init(net: Int) throws {
        self.net = net
        network = try BenchOperator()
        parentIdentity = try network.identity("set-1", .set)
        // Every child has a socket.
        var limit = rlimit(rlim_cur: 16_384, rlim_max: 16_384)
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    var parent: Endpoint { get throws { try endpoint("127.\(net).0.1:4900") } }
    var entrypoint: Endpoint { get throws { try endpoint("127.\(net).0.2:4900") } }

    /// A restarted set reflector keeps its identity.
    func startParent() throws -> LoopThread<BenchParent> {
        let loop = try DatagramLoop()
        let handler = try BenchParent(
            loop: loop, at: try parent, entrypoint: try entrypoint, identity: parentIdentity)
        return try LoopThread(loop, handler, name: "set-1", processor: Self.processor, priority: 10)
    }

    func startFeed(children: Int, rate: Double) throws -> LoopThread<LiveFeed> {
        guard let stream = StreamName("bench/0") else { throw Companion.Failure(description: "no stream name") }
        let loop = try DatagramLoop()
        // A parent allows 256 links from one address.
        let sinks = try (0...children / 128).map { try endpoint("127.\(net).1.\($0 + 1):0").address }
        let names = [("ep-1", CertifiedRole.entrypoint)] + (0..<children).map { ("child-\($0)", .edge) }
        let identities = Dictionary(
            uniqueKeysWithValues: try names.map { ($0, try network.identity($0, $1)) })
        let feed = try RelayFeed(
            loop: loop, entrypoint: try entrypoint, parent: try parent, sinks: sinks, children: children,
            streams: [stream], payloadLength: 1_316
        ) { name, _ in
            guard let identity = identities[name] else { throw Companion.Failure(description: "\(name): no identity") }
            return identity
        }
        let handler = LiveFeed(loop: loop, feed: feed, children: children, rate: rate)
        return try LoopThread(loop, handler, name: "feed", processor: Self.otherProcessor, priority: 20)
    }

    /// - Parameter sources: addresses that it sends from.
    func startFlood(_ flood: Flood, rate: Double, sources: Int) throws -> LoopThread<Flooder> {
        let loop = try DatagramLoop()
        let shown: BenchIdentity =
            switch flood {
            case .hello, .random, .impostor: try network.identity("other", .edge)
            case .untrusted: try BenchOperator().identity("other", .edge)
            case .expired: try network.identity("other", .edge, hasExpired: true)
            }
        let addresses = try (0..<sources).map { number in
            try endpoint("127.\(net).\(16 + number / 250).\(number % 250 + 1):0").address
        }
        let handler = try Flooder(
            loop: loop, flood, rate: rate, from: addresses, to: try parent, parentName: "set-1", showing: shown)
        return try LoopThread(loop, handler, name: "flood", processor: Self.otherProcessor, priority: 5)
    }

    /// Waits until every child receives packets.
    static func waitUntilServed(_ feed: LoopThread<LiveFeed>, seconds: Double) async throws {
        let deadline = DatagramLoop.now + TimeSpan(nanoseconds: Int64(seconds * 1e9))
        while !(try await feed.call { $0.feed.isReady }) {
            guard DatagramLoop.now < deadline else {
                let (opened, served) = try await feed.call { ($0.feed.opened, $0.feed.served) }
                throw Companion.Failure(
                    description: "not all children are served: \(opened) have a link, \(served) receive packets")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    private func endpoint(_ text: String) throws -> Endpoint {
        guard let endpoint = Endpoint(text) else { throw Companion.Failure(description: "net \(net): \(text)") }
        return endpoint
    }
}
