import DNSAnswers
import DNSService
import DNSTestClient
import Foundation
import Logging
import ReflectorModel
import TestSupport

/// A name server with its own directory, for one test.
struct ServedDirectory {
    let path: String
    let server: NameServer
    let client: DNSTestClient

    static let zone = """
        $TTL 60
        @ SOA ns1 hostmaster 1 3600 600 604800 5
        @ NS ns1
        ns1 A 127.0.0.1
        a-1 A 127.0.2.1
        b-1 A 127.0.2.2

        """
    static let portsets = """
        setregion a hosts=a-1 capacity=10Gbps site=x
        setregion b hosts=b-1 capacity=10Gbps site=y
        region r1283 name=boston
        map s* r* a b

        """

    /// Runs `body` while the server answers on a free port of `address`, or on `port`.
    /// - Parameter files: replace or add to the usual files; nil removes one.
    static func serve(
        _ address: String, port: UInt16 = 0, state: String? = nil, files: [String: String?] = [:], workers: Int = 1,
        connectionsMax: Int = 1_024,
        explainFrom: [CIDRBlock]? = nil, cookieSecrets: String? = nil,
        rateLimit: ResponseLimiter.Configuration? = nil,
        configure: (inout NameServer.Configuration) -> Void = { _ in },
        _ body: @escaping @Sendable (ServedDirectory) async throws -> Void
    ) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path
        let usual: [String: String?] = ["example.net.zone": zone, "example.net.portsets": portsets]
        for (name, text) in usual.merging(files, uniquingKeysWith: { $1 }) {
            if let text { try write(text, to: path + "/" + name) }
        }
        guard let listen = Endpoint("\(address):\(port)") else { return }
        var configuration = NameServer.Configuration(zones: path, listen: [listen], state: state)
        configuration.nsid = "test"
        configuration.workers = workers
        configuration.tcp.connectionsMax = connectionsMax
        configuration.explainFrom = explainFrom
        configuration.cookieSecrets = cookieSecrets
        configuration.rateLimit = rateLimit
        configuration.rateLimitExempt = []
        configure(&configuration)
        try await withNameServer(configuration) { server, port in
            try await body(ServedDirectory(path: path, server: server, client: DNSTestClient(address, port: port)))
        }
    }

    func replacePortsets(_ text: String) throws { try Self.write(text, to: path + "/example.net.portsets") }

    /// Queries until `isDone`, for at most `limit`. Returns the time it took; nil if it took too long.
    func wait(_ limit: Duration = .seconds(5), until isDone: () async throws -> Bool) async throws -> Duration? {
        try await elapsed(within: limit, until: isDone)
    }

    func address(_ name: String) throws -> [UInt8]? { try client.ask(name).answers.first?.addressBytes }

    func serial() throws -> UInt32 {
        let data = try client.ask("example.net", 6).answers.first?.data.suffix(20) ?? []
        return data.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    private static func write(_ text: String, to path: String) throws {
        try text.write(toFile: path, atomically: false, encoding: .utf8)
    }
}
