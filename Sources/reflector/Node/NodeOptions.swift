import ArgumentParser
import DNSService
import IdentityKeys
import Logging
import ReflectorModel
import RelayService

/// Options of every node. The node looks up everything else.
struct NodeOptions: ParsableArguments {
    @Argument(help: "The node's host name in the zone, e.g. nyc-1.")
    var name: String

    @Option(help: "The zone that the node belongs to.")
    var zone = "reflector.net"

    @Option(
        name: .customLong("server"),
        help: "An authoritative name server of the zone, ADDRESS:PORT. Repeatable: give two, so that one may fail.")
    var servers: [String] = ["127.0.0.1:5300"]

    @Option(
        help: ArgumentHelp(
            "Identity folder: node.key, node.certificate, operators. 'reflector keys request NAME --identity DIR' "
                + "begins one.",
            valueName: "dir"))
    var identity: String

    @Option(help: "Directory for the last good answers, used when no name server answers.")
    var state: String?

    @Option(
        help: """
            Listen for the relay protocol on ADDRESS:PORT; by default, on the host's addresses in the zone, at --port. \
            [::] accepts IPv4 too.
            """)
    var listen: String?

    @Option(help: "Port of the relay protocol on the host's own addresses.")
    var port: UInt16 = 4_900

    @Option(
        help: """
            Health, status and metrics over HTTP on ADDRESS:PORT, open to everyone who can reach it. By default \
            loopback, port 4980: the node's own address if that is loopback, otherwise 127.0.0.1.
            """)
    var ops: String?

    @Option(help: "Play-out deadline in milliseconds: how long later packets wait for a missing one.")
    var deadline = 500

    @Option(help: "Egress capacity, e.g. 10Gbps, or in bits a second; 0 is unlimited.")
    var capacity = BitRate(0)

    @OptionGroup var log: LogOptions

    /// The effect of signals, for every node's `--help`.
    static let signals = """
        SIGHUP reloads the identity and every file of keys without an interruption. SIGTERM stops the node: its \
        children move away first.
        """

    func validate() throws {
        guard (10...60_000).contains(deadline) else {
            throw ValidationError("--deadline takes 10 to 60000 milliseconds, not \(deadline)")
        }
        guard port > 0 else { throw ValidationError("--port takes 1 to 65535, not 0") }
        for server in servers { _ = try endpoint(server, option: "--server") }
        if let listen { _ = try endpoint(listen, option: "--listen") }
        if let ops { _ = try endpoint(ops, option: "--ops") }
    }

    func configuration(role: NodeRole, region: RegionID?) throws -> (NodeConfiguration, IdentityInUse) {
        ProcessSetUp.run()
        LineLogHandler.bootstrap(log.logFormat)
        let endpoints = try servers.map { try endpoint($0, option: "--server") }
        let claim = IdentityClaim(
            name: name.lowercased(), role: role.certified, region: region, zone: zone.lowercased())
        let identity = try claim.load(identity)
        var configuration = NodeConfiguration(
            name: name.lowercased(), role: role, region: region, zone: zone, servers: endpoints,
            identity: identity.current)
        configuration.listen = try listen.map { try endpoint($0, option: "--listen") }
        configuration.port = port
        configuration.stateDirectory = state
        configuration.playOutDeadline = .milliseconds(Int64(deadline))
        configuration.capacity = capacity.bitsPerSecond
        return (configuration, identity)
    }

    /// Where health and status are served: only to this machine unless configured otherwise.
    func opsEndpoint(own: Endpoint) throws -> Endpoint {
        let address = own.address.isLoopback ? own.address : IPAddress(v4: 0x7f00_0001)
        return try endpoint(ops, option: "--ops", own: Endpoint(address: address, port: 0), port: 4_980)
    }

    /// The endpoint of an option, or the node's own address with a default port.
    func endpoint(_ text: String?, option: String, own: Endpoint, port: UInt16) throws -> Endpoint {
        guard let text else { return Endpoint(address: own.address, port: port) }
        return try endpoint(text, option: option)
    }

    /// The endpoint of an option, or all of the node's own addresses with a default port. Of these addresses, only the
    /// first is sure to exist on an interface already.
    func endpoints(_ text: String?, option: String, own: [Endpoint], port: UInt16) throws -> [Endpoint] {
        if let text { return [try endpoint(text, option: option)] }
        // A TCP socket bound to `[::]` accepts IPv4, too.
        let isDual = own.contains { !$0.address.isV4 && $0.address.isUnspecified }
        let addresses = own.map(\.address).filter { !isDual || !$0.isV4 || !$0.isUnspecified }
        return addresses.map { Endpoint(address: $0, port: port) }
    }

    func endpoint(_ text: String, option: String) throws -> Endpoint {
        try Endpoint.argument(text, option: option, example: "127.0.0.1:5300")
    }

    static func region(_ text: String) throws -> RegionID {
        if let number = UInt32(text) { return RegionID(number) }
        guard let region = RegionID(label: text) else {
            throw ValidationError("--region: '\(text)' is not a region number, e.g. 1283 or r1283")
        }
        return region
    }
}
