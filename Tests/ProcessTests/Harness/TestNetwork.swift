import DatagramIO
import Foundation
import Glibc
import IdentityKeys
import NIOCore
import NIOPosix
import OpsEndpoint
import ReflectorModel
import RelayService
import TestSupport

@testable import LocalNetwork
@testable import reflector

/// A whole network of real processes on its own addresses; a test may kill nodes, restart them and give them more
/// options. The actor runs on a thread that never ends, because its processes die with the thread that started them.
actor TestNetwork {
    /// How long nodes may take to become ready.
    static let readyTime = Duration.seconds(20)

    private nonisolated let temporary: TemporaryFolder
    nonisolated var folder: String { temporary.path }
    nonisolated let zones: ZonesCopy
    nonisolated let plan: NetworkPlan
    nonisolated let keys: KeyFile
    private nonisolated let loop: any EventLoop
    private nonisolated let runFolder: RunFolder
    private var running: [String: ChildProcess] = [:]
    private var passing: [ChildProcess] = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.executor.asUnownedSerialExecutor() }

    /// Prepares a network, without starting it.
    /// - Parameters:
    ///   - net: second byte of every address.
    ///   - edit: changes the zones before they are read.
    init(net: UInt8, edit: @Sendable (ZonesCopy) throws -> Void = { _ in }) throws {
        loop = MultiThreadedEventLoopGroup.singleton.next()
        temporary = try TemporaryFolder()
        let folder = temporary.path
        zones = try ZonesCopy(net: net, in: folder)
        try edit(zones)
        plan = try NetworkPlan(try ZoneFolder.contents(zones.path)[0])
        try plan.checkRunsHere()
        runFolder = try RunFolder(folder + "/run")
        try runFolder.makeIdentities(of: plan, now: WallClock.certificateSeconds)
        keys = try runFolder.loadOrMakeKeys()
    }

    /// Runs a test with a network and leaves nothing behind, however the test ends; prints the logs if the test throws.
    static func with<Value: Sendable>(
        net: UInt8, edit: @Sendable (ZonesCopy) throws -> Void = { _ in }, _ body: (TestNetwork) async throws -> Value
    ) async throws -> Value {
        let network = try TestNetwork(net: net, edit: edit)
        do {
            let value = try await body(network)
            await network.end()
            return value
        } catch {
            network.printLogs()
            await network.end()
            throw error
        }
    }

    /// Starts all nodes, and returns when they are ready.
    /// - Parameter options: additional options, keyed by the role or the name of a node.
    func startAll(options: [String: [String]] = [:]) async throws {
        for roles in [[NetworkPlan.Role.nameServer], [.entrypoint, .set, .edge]] {
            let nodes = plan.nodes.filter { roles.contains($0.role) }
            for node in nodes {
                try start(node.name, options: (options[node.role.rawValue] ?? []) + (options[node.name] ?? []))
            }
            for node in nodes { try await waitUntilReady(node.name) }
        }
    }

    /// Starts one node, which must not be running.
    func start(_ name: String, options: [String] = []) throws {
        let node = try node(name)
        precondition(running[name] == nil, "\(name) is already running")
        running[name] = try ChildProcess.start(
            reflector: Program.reflector, command: Program.reflector,
            arguments: plan.arguments(for: node, zones: zones.path, folder: runFolder) + options,
            log: runFolder.log(of: name))
    }

    func waitUntilReady(_ name: String) async throws {
        let client = OpsClient()
        let ops = try node(name).ops
        try await eventually("\(name) ready", within: Self.readyTime) { await client.isReady(ops) }
    }

    /// Starts a process in addition to the nodes, for example an encoder or an impairment relay.
    @discardableResult
    func startProgram(_ command: String, _ arguments: [String], name: String) throws -> pid_t {
        let process = try ChildProcess.start(
            reflector: Program.reflector, command: command, arguments: arguments, log: runFolder.log(of: name))
        passing.append(process)
        return process.pid
    }

    /// Starts an encoder that pushes a file in a loop over HTTP, in real time.
    /// - Parameter clock: first time stamp, in seconds.
    @discardableResult
    func startEncoder(
        _ stream: StreamName, file: String, at entrypoint: String, clock: Double = 0
    ) throws -> pid_t {
        let feed = StreamFeed(stream: stream, source: .file(file))
        let key = keys.streamKeys.keys(for: stream)?.first ?? ""
        var arguments = feed.pushArguments(testPicture: file, to: try node(entrypoint).ingest, key: key)
        if clock > 0, let output = arguments.popLast() {
            arguments += ["-output_ts_offset", "\(clock)", output]
        }
        return try startProgram("ffmpeg", arguments, name: feed.name)
    }

    /// Starts a viewer of `live/news` at an edge: curl, which retries until the stream is there.
    @discardableResult
    func startViewer(of edge: String, name: String, output: String? = nil) throws -> pid_t {
        try startProgram(
            "curl",
            [
                "-sfN", "-o", output ?? "/dev/null", "--retry", "20", "--retry-delay", "1", "--retry-all-errors",
                "http://\(try node(edge).address):8080/live/news.ts",
            ], name: name)
    }

    /// Kills a node with SIGKILL, and waits until it has ended.
    func kill(_ name: String) async throws {
        guard let process = running.removeValue(forKey: name) else { throw NeverCame(what: name, last: "not running") }
        process.send(SIGKILL)
        try await eventually("end of \(name)", every: .milliseconds(2)) { process.exit() != nil }
    }

    /// Sends SIGTERM to a node, and waits until it has ended on its own. Returns how it ended.
    func terminate(_ name: String) async throws -> ChildProcess.Exit {
        guard let process = running.removeValue(forKey: name) else { throw NeverCame(what: name, last: "not running") }
        process.send(SIGTERM)
        return try await eventually("end of \(name)") { process.exit() }
    }

    /// Arguments of a node's command line, without the executable.
    nonisolated func arguments(of name: String) throws -> [String] {
        plan.arguments(for: try node(name), zones: zones.path, folder: runFolder)
    }

    /// Everybody's identities, and the operator who signed them.
    nonisolated var identities: LocalIdentities { runFolder.identities }

    /// Makes the identity of a node that is not what the zone says. Returns its folder.
    /// - Parameter folder: a name for it; each has an operator of its own.
    nonisolated func makeIdentity(
        _ node: LocalIdentities.Node, zone: String, folder name: String
    ) throws -> String {
        let identities = LocalIdentities("\(folder)/identity-\(name)")
        try identities.make([node], zone: zone, now: WallClock.certificateSeconds)
        return identities.folder(of: node.name)
    }

    /// Signs new certificates for these nodes, with the same keys, as an operator does before the old ones expire.
    /// - Parameter seconds: how long they are valid.
    nonisolated func renewCertificates(
        of names: [String], seconds: UInt64 = LocalIdentities.lifetime
    ) throws {
        var operating = try OperatorFolder(admin: identities.operatorFolder)
        let orders = try names.map { name in
            let content = try IdentityFolder(loading: identities.folder(of: name)).content
            return OperatorFolder.Order(
                try IdentityFolder.request(for: name, in: identities.folder(of: name)), role: content.role,
                region: content.region)
        }
        let certificates = try operating.sign(
            orders, zone: plan.zone, now: WallClock.certificateSeconds, seconds: seconds, replacing: true)
        for certificate in certificates {
            try IdentityFolder.install(
                certificate, operators: nil, in: identities.folder(of: certificate.content.name))
        }
    }

    /// The file with the keys of encoders.
    nonisolated var keysPath: String { runFolder.keys }

    /// Process id of a running node, to send it signals or look at its memory.
    func pid(of name: String) -> pid_t? { running[name]?.pid }

    nonisolated func node(_ name: String) throws -> NetworkPlan.Node {
        guard let node = plan.nodes.first(where: { $0.name == name }) else {
            throw NeverCame(what: name, last: "no such node in \(zones.path)")
        }
        return node
    }

    nonisolated func status(of name: String) async throws -> NodeStatus {
        try await OpsClient().nodeStatus(of: try node(name).ops)
    }

    /// A stream at a node; nil while the node does not know it.
    nonisolated func stream(_ stream: String, at name: String) async throws -> StreamStatus? {
        try await status(of: name).streams.first { $0.name == stream }
    }

    nonisolated func log(of name: String) -> String {
        (try? String(contentsOfFile: runFolder.log(of: name), encoding: .utf8)) ?? ""
    }

    /// Ends everything and removes the folder.
    func end() async {
        let all = Array(running.values) + passing
        (running, passing) = ([:], [])
        for process in all { process.send(SIGKILL) }
        for process in all {
            try? await eventually("end", every: .milliseconds(5)) { process.exit() != nil }
        }
        temporary.remove()
    }

    private nonisolated func printLogs() {
        for node in plan.nodes {
            let tail = runFolder.tail(of: node.name)
            if !tail.isEmpty { print("\(node.name):\n\(tail)") }
        }
    }
}
