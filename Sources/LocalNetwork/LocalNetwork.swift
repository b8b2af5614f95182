import Glibc
import ReflectorModel
import RelayService
import Synchronization

/// A network that runs on this machine: its processes, its encoders and its viewers. `reflector up` runs one.
public final class LocalNetwork: Sendable {
    /// Why the network did not come up.
    public struct Failure: Error, CustomStringConvertible {
        public var description: String
        /// The process whose log shows why.
        public var culprit: String?

        public init(description: String, culprit: String?) {
            self.description = description
            self.culprit = culprit
        }
    }

    /// Time limit of `start`.
    static let startTime = Duration.seconds(60)
    private static let pollInterval = Duration.milliseconds(100)

    /// The nodes and their addresses.
    public let plan: NetworkPlan
    /// The encoders.
    public let feeds: [StreamFeed]
    /// Keys, states and logs.
    public let folder: RunFolder
    let supervisor: ProcessSupervisor
    let viewers: [Viewer]
    private let zones: String
    private let keys: KeyFile
    private let hasComeUp = Atomic(false)

    /// - Parameters:
    ///   - zones: path of the zone files, for the name servers.
    ///   - viewersEach: viewers of each stream at each edge.
    public init(
        plan: NetworkPlan, zones: String, feeds: [StreamFeed], folder: RunFolder, keys: KeyFile, viewersEach: Int
    ) {
        self.plan = plan
        self.zones = zones
        self.feeds = feeds
        self.folder = folder
        self.keys = keys
        supervisor = ProcessSupervisor()
        viewers = plan.edges.flatMap { edge in
            feeds.flatMap { feed in (0..<viewersEach).map { _ in Viewer(edge: edge, stream: feed.stream) } }
        }
    }

    /// Starts everything in order. Returns when all nodes are ready and every edge has delivered every stream (without
    /// viewers: when every stream has reached an entrypoint). The supervisor and the viewers run in tasks of `group`.
    public func start(in group: inout TaskGroup<Void>) async throws {
        try checkPorts()
        group.addTask { await self.supervisor.keep() }
        let deadline = ContinuousClock.now + Self.startTime
        try await launch([.nameServer])
        try await wait(until: deadline, "name servers are not ready") { $0.unready(.nameServer) }
        try await launch([.entrypoint, .set, .edge])
        try await encodeTestPicture()
        try await wait(until: deadline, "nodes are not ready") { $0.unready() }
        for feed in feeds { try await launch(feed) }
        for viewer in viewers { group.addTask { await viewer.watch() } }
        try await wait(until: deadline, "the stream does not arrive") { self.missing(in: $0) }
        await supervisor.restartWhatEnds()
        hasComeUp.store(true, ordering: .releasing)
    }

    /// Whether `start` has brought the network up.
    public var isUp: Bool { hasComeUp.load(ordering: .acquiring) }

    /// Every process that ended unexpectedly so far, oldest first.
    public var deaths: [ProcessSupervisor.Death] { get async { await supervisor.deaths } }

    /// Ends every process; none is left when it returns. The viewers' tasks must have been cancelled.
    public func stop() async {
        await supervisor.stop()
    }

    /// The results so far.
    public func summary() async -> RunSummary {
        let view = await NetworkView.poll(plan)
        var summary = RunSummary()
        for edge in plan.edges {
            for feed in feeds {
                var row = RunSummary.Row(
                    edge: edge.name, stream: feed.stream, status: view.stream(feed.stream, at: edge.name))
                row.encoderGapMilliseconds = plan.candidates(for: feed.stream)
                    .compactMap { view.stream(feed.stream, at: $0.name) }.filter { $0.packetsIn > 0 }
                    .map(\.gapMillisecondsMax).max()
                for viewer in viewers where viewer.edge == edge.name && viewer.stream == feed.stream {
                    let check = await viewer.check
                    row.viewers += 1
                    row.viewerBytes += check.bytes
                    row.viewerErrors += check.continuityErrors + check.syncErrors
                    row.interruptions += await viewer.interruptions
                }
                summary.rows.append(row)
            }
        }
        summary.deaths = await supervisor.deaths
        return summary
    }

    private func launch(_ roles: Set<NetworkPlan.Role>) async throws {
        for node in plan.nodes where roles.contains(node.role) {
            let arguments = plan.arguments(for: node, zones: zones, folder: folder)
            try await supervisor.start(
                .init(
                    name: node.name, command: "/proc/self/exe", arguments: { _ in arguments },
                    log: folder.log(of: node.name)))
        }
    }

    /// Starts the encoder of a feed. It first pushes to the stream's first entrypoint; each restart tries the next one.
    private func launch(_ feed: StreamFeed) async throws {
        let candidates = plan.candidates(for: feed.stream)
        guard !candidates.isEmpty, keys.streamKeys.keys(for: feed.stream)?.first != nil else {
            throw Failure(description: "\(feed.stream) has no entrypoint and key to push to", culprit: nil)
        }
        let (testPicture, keysPath) = (folder.testPicture, folder.keys)
        try await supervisor.start(
            .init(
                name: feed.name, command: "/proc/self/exe",
                arguments: { start in
                    feed.pushArguments(
                        testPicture: testPicture, to: candidates[start % candidates.count].ingest, keys: keysPath)
                },
                log: folder.log(of: feed.name)))
    }

    private func encodeTestPicture() async throws {
        guard feeds.contains(where: { $0.source == .test }), access(folder.testPicture, R_OK) != 0 else { return }
        let name = "test-picture"
        // The file has another name until it is complete.
        let part = folder.testPicture + ".part"
        let exit = try await supervisor.run(
            .init(
                name: name, command: "ffmpeg", arguments: { _ in TestPicture.encodeArguments(to: part) },
                log: folder.log(of: name)))
        guard exit == .code(0), rename(part, folder.testPicture) == 0 else {
            throw Failure(description: "the ffmpeg that encodes the test picture \(exit)", culprit: name)
        }
    }

    /// Edges that have not delivered a stream yet. Without viewers: encoders whose stream has not reached an
    /// entrypoint.
    private func missing(in view: NetworkView) -> [String] {
        guard viewers.isEmpty else {
            return plan.edges.map(\.name).filter { edge in
                feeds.contains { (view.stream($0.stream, at: edge)?.delivered ?? 0) == 0 }
            }
        }
        return feeds.filter { feed in
            !plan.candidates(for: feed.stream).contains { (view.stream(feed.stream, at: $0.name)?.packetsIn ?? 0) > 0 }
        }.map(\.name)
    }

    /// Checks that the status ports are free: otherwise nodes of another run would answer for ours.
    private func checkPorts() throws {
        let used = plan.nodes.filter { PortProbe.isInUse($0.ops) }
        guard let first = used.first else { return }
        let others = used.count > 1 ? " and \(used.count - 1) other \(used.count > 2 ? "nodes'" : "node's")" : ""
        throw Failure(
            description:
                "\(first.ops) (\(first.name)'s status port\(others)) is in use: is another 'reflector up' running?",
            culprit: nil)
    }

    private func wait(
        until deadline: ContinuousClock.Instant, _ what: String, for missing: (NetworkView) -> [String]
    ) async throws {
        while true {
            let waited = missing(try await pollUnlessOneEnds())
            try await checkNoneHasEnded()
            if waited.isEmpty { return }
            guard ContinuousClock.now < deadline else {
                throw Failure(
                    description: "\(what): \(waited.joined(separator: ", "))", culprit: waited.first)
            }
            try await Task.sleep(for: Self.pollInterval)
        }
    }

    /// Polls the nodes. Throws if a process ends, because some nodes may then never answer.
    private func pollUnlessOneEnds() async throws -> NetworkView {
        try await withThrowingTaskGroup(of: NetworkView.self) { [plan] group in
            defer { group.cancelAll() }
            group.addTask { await NetworkView.poll(plan) }
            group.addTask {
                while true {
                    try await self.checkNoneHasEnded()
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
            return try await group.next() ?? NetworkView()
        }
    }

    private func checkNoneHasEnded() async throws(Failure) {
        guard let death = await supervisor.deaths.first else { return }
        throw Failure(description: "\(death) at the start", culprit: death.name)
    }
}
