import Foundation
import IdentityKeys
import Logging
import NodeIdentity
import ReflectorModel
import RelayService

/// Addresses of a delivery measurement, all below one /16 of the loopback network, and the zones that name them.
///
/// ```
/// feed ─▶ entrypoint ─▶ set-1 ─▶ impairment ─▶ edges        ours; the edges' name server gives the impairment's address
/// feed ─▶ entrypoint ─▶ set-1 ─▶ set-2 ─▶ edge              ours, three hops
/// feeds ─▶ entrypoint ─▶ one of many sets ─▶ impairment of its own ─▶ edge        deaths
/// feed ─▶ sender ─▶ impairment ─▶ receiver ─▶ sink          SRT, RIST
/// ```
struct DeliveryTestbed {
    static let zone = "bench.example"
    static func stream(_ number: Int) -> String { "bench/\(number)" }

    var net: Int
    var folder: String
    var programs: String

    func address(_ last: Int) -> String { "127.\(net).1.\(last)" }
    var nameServer: String { address(9) + ":5300" }
    /// The name server of the edges.
    var edgeNameServer: String { address(10) + ":5300" }
    var entrypoint: String { address(1) }
    /// The address to which the encoder of a stream sends.
    func encoderPort(_ stream: Int = 0) -> String { address(1) + ":\(9_000 + stream)" }
    func set(_ number: Int) -> String { address(10 + number) }
    /// The listening address of the impairment before a set reflector or a peer's receiver.
    func impairment(_ set: Int = 1) -> String { address(30 + set) }
    func edge(_ number: Int) -> String { address(41 + number) }
    var feed: String { address(2) }
    var sink: String { address(3) }
    /// The keys of encoders, for the entrypoint.
    private var keys: String { folder + "/keys" }
    private var identities: LocalIdentities { LocalIdentities(folder + "/identities") }
    var log: String { folder + "/log" }
    func zones(_ name: String) -> String { "\(folder)/zones-\(name)" }

    /// Writes keys and the zone.
    /// - Parameters:
    ///   - name: name of the folder.
    ///   - sets: names and addresses of set reflectors, as the answers show them.
    ///   - regionSize: number of them in each set region, which is named after its first.
    ///   - maps: lines of the map.
    func writeZone(
        _ name: String, sets: [(name: String, address: String)], regionSize: Int = 1, maps: [String]
    ) throws {
        let path = zones(name)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        if !FileManager.default.fileExists(atPath: keys) {
            try KeyFile.generate(streams: [.below(nil)]).write(to: keys)
        }
        var records = ["$TTL 60", "@ SOA ns1 hostmaster ( 1 3600 600 604800 5 )", "@ NS ns1"]
        records += ["ns1 A \(address(9))", "ep-1 A \(entrypoint)"]
        records += sets.map { "\($0.name) A \($0.address)" }
        var portsets = ["default ttl=60"]
        portsets += stride(from: 0, to: sets.count, by: regionSize).map { first in
            let hosts = sets[first..<min(first + regionSize, sets.count)].map(\.name)
            return "setregion \(hosts[0])-region id=r\(9_001 + first) hosts=\(hosts.joined(separator: ","))"
        }
        portsets += ["region r1"] + maps
        for (suffix, lines) in [
            ("zone", records), ("portsets", portsets), ("streams", ["stream bench/* s4 entrypoints=ep-1 push"]),
        ] {
            try (lines.joined(separator: "\n") + "\n").write(
                toFile: "\(path)/\(Self.zone).\(suffix)", atomically: true, encoding: .utf8)
        }
    }

    /// Starts one of our daemons.
    func start(_ words: [String], output: String? = nil) throws -> Companion {
        try Companion([programs + "/reflector"] + words, processor: nil, output: output, log: log)
    }

    func startNameServer(_ name: String, at endpoint: String) throws -> Companion {
        try start(["nameserver", "--zones", zones(name), "--listen", endpoint])
    }

    /// - Parameter streams: number of encoders it listens for.
    func startEntrypoint(streams: Int = 1) throws -> Companion {
        try start(
            node(.entrypoint, "ep-1", server: nameServer, at: entrypoint)
                + (0..<streams).flatMap { ["--udp", "\(Self.stream($0))=\(encoderPort($0))"] }
                + ["--keys", keys, "--ingest", "\(entrypoint):8000"])
    }

    func startSet(_ number: Int, region: Int? = nil) throws -> Companion {
        try start(
            node(.set, "set-\(number)", server: nameServer, at: set(number))
                + (region.map { ["--region", "\($0)"] } ?? []))
    }

    /// Starts an edge reflector as a separate process, with its streaming server.
    func startEdgeProcess(server: String) throws -> Companion {
        try start(
            node(.edge, "edge-9", server: server, at: edge(9)) + ["--region", "1", "--http", "\(edge(9)):8080"])
    }

    private func node(_ role: CertifiedRole, _ name: String, server: String, at address: String) throws -> [String] {
        [
            "\(role)", name, "--identity", try identity(role, name), "--zone", Self.zone, "--server", server,
            "--listen",
            "\(address):4900", "--ops", "\(address):4980",
        ]
    }

    /// Makes a node's identity folder unless it is there.
    private func identity(_ role: CertifiedRole, _ name: String) throws -> String {
        let region: CertifiedRegion = role == .edge ? .edge(RegionID(1)) : .none
        try identities.make([.init(name: name, role: role, region: region)], zone: Self.zone, now: UInt64(time(nil)))
        return identities.folder(of: name)
    }

    /// Starts an edge reflector in this process, with a meter for the output of each stream.
    func startEdge(_ number: Int, deadline: TimeSpan, meters: [DeliveryMeter]) async throws -> RunningNode {
        guard let server = Endpoint(edgeNameServer), let own = Endpoint(edge(number) + ":4900") else {
            throw Companion.Failure(description: "net \(net): no addresses")
        }
        var configuration = NodeConfiguration(
            name: "edge-\(number)", role: .edge, region: RegionID(1), zone: Self.zone, servers: [server],
            identity: try IdentityFolder(loading: try identity(.edge, "edge-\(number)")))
        configuration.listen = own
        configuration.playOutDeadline = deadline
        let names = meters.indices.compactMap { StreamName(Self.stream($0)) }
        let node = try await RunningNode.start(
            configuration, output: MeterOutput(meters: Dictionary(uniqueKeysWithValues: zip(names, meters))),
            logger: Logger(label: "edge", factory: { _ in SwiftLogNoOpLogHandler() }))
        for name in names { node.setDemand(true, for: name) }
        return node
    }
}
