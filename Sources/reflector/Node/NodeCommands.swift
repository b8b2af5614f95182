import ArgumentParser
import Logging
import ReflectorModel
import RelayService
import ServiceLifecycle
import StreamingServer

struct EntrypointCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "entrypoint",
        abstract: "Run an entrypoint: it accepts streams from encoders; numbers, seals and announces them.",
        discussion: """
            Encoders push MPEG-TS over HTTP with the stream's key:
              ffmpeg -re -i in.mp4 -c copy -f mpegts -method PUT \\
                'http://ADDRESS:8000/live/news?key=KEY'
            or raw over TCP or UDP to a port for one stream (--tcp, --udp, sources limited by --allow),
            or are pulled over HTTP (--pull live/sport=http://encoder.example/sport.ts) while this
            entrypoint leads the stream.
            UDP may come in datagrams of any size, plain or in RTP, and from a multicast group, which is
            joined: --udp live/news=239.1.2.3:5000,interface=eth1,source=192.0.2.7
            \(NodeOptions.signals)

            Example:
              reflector entrypoint ep-bos --keys keys --identity identity \\
                --state /var/lib/reflector \\
                --server 127.0.0.1:5300 --server 127.0.0.2:5300
            """)

    @OptionGroup var node: NodeOptions

    @Option(
        help: """
            File (mode 0600) with the keys of encoders; by default, the file `keys` in the identity folder. 'reflector \
            keys streams FILE' makes one.
            """)
    var keys: String?

    private var keysPath: String { keys ?? node.identity + "/keys" }

    @Option(help: "HTTP ingest on ADDRESS:PORT; by default all of the node's own addresses, port 8000.")
    var ingest: String?

    @Option(help: "Raw TCP ingest, STREAM=ADDRESS:PORT. Repeatable.")
    var tcp: [String] = []

    @Option(
        help: """
            MPEG-TS over UDP, STREAM=ADDRESS:PORT[,interface=NAME][,source=ADDRESS]; a multicast address is joined. \
            Repeatable.
            """)
    var udp: [String] = []

    @Option(help: "Sources that raw ingest accepts, e.g. 192.0.2.0/24. Repeatable; loopback by default.")
    var allow: [String] = []

    @Option(
        help: """
            Pull a stream over HTTP, STREAM=URL, optionally with USER:PASSWORD@; STREAM=@FILE reads the URL from a \
            file (mode 0600), so that process lists do not show it. Repeatable.
            """)
    var pull: [String] = []

    @Option(help: "Payload bytes of a packet: 1316, or 1128 for paths of MTU 1280.")
    var payload = 1_316

    @Option(
        help: """
            Most bits a second from one encoder, e.g. 50Mbps. TCP and HTTP are read no faster; over UDP, datagrams \
            that exceed it by more than a burst of 4 MB are dropped.
            """)
    var ingestRateMax = BitRate(50_000_000)

    @Option(
        help: """
            Milliseconds without any data after which an encoder counts as lost, so that another entrypoint may lead \
            its stream.
            """)
    var encoderTimeout = 2_000

    /// A lower rate would not even carry audio.
    private static let ingestRateLeast: UInt64 = 8_000

    func validate() throws {
        guard (188...1_316).contains(payload), payload % 188 == 0 else {
            throw ValidationError("--payload takes a multiple of 188 up to 1316, not \(payload)")
        }
        guard ingestRateMax.bitsPerSecond >= Self.ingestRateLeast else {
            throw ValidationError("--ingest-rate-max takes \(Self.ingestRateLeast) bits a second or more")
        }
        guard (250...60_000).contains(encoderTimeout) else {
            throw ValidationError("--encoder-timeout takes 250 to 60000 milliseconds, not \(encoderTimeout)")
        }
        if let ingest { _ = try node.endpoint(ingest, option: "--ingest") }
    }

    func run() async throws {
        var (configuration, identity) = try node.configuration(role: .entrypoint, region: nil)
        configuration.encoderTimeout = .milliseconds(Int64(encoderTimeout))
        let streamKeys = try StreamKeyFile(path: keysPath).load()
        let logger = Logger(label: "entrypoint")
        var ingestion = IngestConfiguration()
        ingestion.payloadBytes = payload
        ingestion.rateBitsPerSecondMax = ingestRateMax.bitsPerSecond
        ingestion.rawTCP = try tcp.map { text in
            let port = try rawPort(text, "--tcp")
            guard !port.isGroup, port.interface == nil, port.source == nil else {
                throw ValidationError(
                    "--tcp: '\(text)' takes STREAM=ADDRESS:PORT only; groups and sources are for --udp")
            }
            return port
        }
        ingestion.rawUDP = try udp.map { text in
            let port = try rawPort(text, "--udp")
            guard port.isGroup || port.interface == nil else {
                throw ValidationError(
                    "--udp: '\(text)': interface= is for multicast groups; give the interface's address")
            }
            return port
        }
        ingestion.pulls = try pull.map(PullArgument.parse)
        if !allow.isEmpty {
            ingestion.allow = try allow.map { text in
                guard let range = CIDRBlock(text) else {
                    throw ValidationError("--allow: '\(text)' is not a prefix, e.g. 192.0.2.0/24")
                }
                return range
            }
        }
        try await RunningNode.with(configuration, output: nil, logger: logger) { running in
            let daemon = NodeDaemon(node: running, identity: identity, listeners: 0, logger: logger)
            let doors = try node.endpoints(ingest, option: "--ingest", own: running.endpoints, port: 8_000)
            ingestion.httpListen = doors[0]
            ingestion.httpListenAlso = Array(doors.dropFirst())
            let server = try await IngestServer.start(
                configuration: ingestion, keys: streamKeys, sink: running.ingestSink, logger: logger)
            await running.offer(ingestion.pulls.map(\.stream)) { server.setPullWanted($1, $0) }
            let ops = try node.opsEndpoint(own: running.endpoint)
            try await daemon.run(
                ops: ops, others: [IngestService(server: server)],
                reloadKeys: { [keysPath] in StreamKeyFile(path: keysPath).reload(logger) { server.replaceKeys($0) } },
                extra: { server.counters.snapshot })
        }
    }

    private func rawPort(_ text: String, _ option: String) throws -> IngestConfiguration.RawPort {
        guard let port = IngestConfiguration.RawPort(text) else {
            throw ValidationError("\(option): '\(text)' is not STREAM=ADDRESS:PORT, e.g. live/news=127.0.0.1:9000")
        }
        return port
    }
}

/// Keeps ingest open until the service group shuts down.
private struct IngestService: Service {
    let server: IngestServer

    func run() async throws {
        try? await gracefulShutdown()
        await server.shutDown()
    }
}

struct SetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Run a set reflector: relays streams from entrypoints (or its own parents) to its children.",
        discussion: """
            If the set region has parents in the portsets file, give its region id: --region 9001.
            The hosts of one set region on a LAN fetch each stream from the entrypoint once if each names the
            others with --member; their certificates must name the same set region.
            \(NodeOptions.signals)

            Examples:
              reflector set sjc-1 --identity identity \\
                --state /var/lib/reflector \\
                --server 127.0.0.1:5300 --server 127.0.0.2:5300
              reflector set nyc-1 --identity identity --server 127.0.0.1:5300 \\
                --member nyc-2=192.168.1.12 --member nyc-3=192.168.1.13
            """)

    @OptionGroup var node: NodeOptions

    @Option(help: "Id of its set region, if that has parents of its own.")
    var region: String?

    @OptionGroup var others: MemberOptions

    func validate() throws {
        _ = try region.map(NodeOptions.region)
        _ = try others.parse(own: node.name)
    }

    func run() async throws {
        var (configuration, identity) = try node.configuration(role: .set, region: try region.map(NodeOptions.region))
        (configuration.neighbours, configuration.lan) = try others.parse(own: node.name)
        if !configuration.neighbours.isEmpty, case .none = configuration.identity.content.region {
            StandardError.print(
                "reflector: --member: the certificate of \(node.name) names no set region; sign one with it "
                    + "(keys sign --region NAME)")
            throw ExitCode(1)
        }
        let logger = Logger(label: "set")
        try await RunningNode.with(configuration, output: nil, logger: logger) { running in
            let ops = try node.opsEndpoint(own: running.endpoint)
            let daemon = NodeDaemon(node: running, identity: identity, listeners: 0, logger: logger)
            try await daemon.run(ops: ops, others: [])
        }
    }
}

struct EdgeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edge",
        abstract: "Run an edge reflector with its streaming server: it fetches the streams that viewers request.",
        discussion: """
            Viewers play http://ADDRESS:8080/live/news.ts or
              http://ADDRESS:8080/live/news/index.m3u8
            Other streaming servers get streams as MPEG-TS over UDP, with --udp-out or --udp-out-allow;
            they request them with their own hooks, or with 'reflector request'.
            \(NodeOptions.signals)

            Example:
              reflector edge edge-bos --region 1283 \\
                --identity identity --state /var/lib/reflector \\
                --server 127.0.0.1:5300 --server 127.0.0.2:5300
            """)

    @OptionGroup var node: NodeOptions

    @Option(help: "The edge region it serves, e.g. 1283.")
    var region: String

    @OptionGroup var others: MemberOptions

    @Option(help: "Streaming server on ADDRESS:PORT; by default all of the node's own addresses, port 8080.")
    var http: String?

    @OptionGroup(title: "Other streaming servers") var handover: HandoverOptions

    func validate() throws {
        _ = try NodeOptions.region(region)
        _ = try others.parse(own: node.name)
        if let http { _ = try node.endpoint(http, option: "--http") }
    }

    func run() async throws {
        var (configuration, identity) = try node.configuration(role: .edge, region: try NodeOptions.region(region))
        (configuration.neighbours, configuration.lan) = try others.parse(own: node.name)
        let logger = Logger(label: "edge")
        var viewing = LiveStreamConfiguration()
        viewing.numbersPath = node.state.map { "\($0)/playlists.json" }
        let hub = LiveStreamHub(configuration: viewing, logger: logger)
        try await RunningNode.with(configuration, output: HubOutput(hub: hub), logger: logger) { running in
            hub.setDemandHandler { stream, isWanted in running.setDemand(isWanted, for: stream) }
            let doors = try node.endpoints(http, option: "--http", own: running.endpoints, port: 8_080)
            let viewers = doors[0]
            let daemon = NodeDaemon(
                node: running, identity: identity, listeners: handover.isEnabled ? 2 : 1, logger: logger)
            let handover = try handover.service(
                of: node, own: running.endpoint, hub: hub, logger: logger, onReady: { daemon.listens() })
            let server = StreamingServer(configuration: .init(endpoint: viewers), hub: hub) { _ in daemon.listens() }
            let more = doors.dropFirst().map { endpoint in
                var configuration = StreamingServer.Configuration(endpoint: endpoint)
                configuration.isAdditional = true
                return ListeningService(
                    what: "viewers", endpoint: endpoint,
                    service: StreamingServer(configuration: configuration, hub: hub), retries: logger)
            }
            let ops = try node.opsEndpoint(own: running.endpoint)
            let viewerPort = ListeningService(what: "viewers", endpoint: viewers, service: server)
            try await daemon.run(
                ops: ops, others: [viewerPort] + more + (handover.map { [$0.service] } ?? []),
                extra: {
                    Self.counters(of: hub.statistics()).merging(handover?.handover.statistics ?? [:]) { $1 }
                }, outputs: { await handover?.handover.outputs() ?? [] })
        }
    }

    private static func counters(of statistics: StreamingStatistics) -> [String: UInt64] {
        let named = statistics.counters.map { ($0.key.hasPrefix("viewers_") ? $0.key : "viewers_\($0.key)", $0.value) }
        return Dictionary(named) { $0 + $1 }
    }
}

extension LiveStream: StreamReceiver {}

/// The built-in streaming server as the node's output.
private struct HubOutput: StreamOutput {
    let hub: LiveStreamHub

    func receiver(of stream: StreamName) -> (any StreamReceiver)? { hub.receiver(of: stream) }
    func discontinuity(stream: StreamName, lost: UInt64) {
        hub.discontinuity(stream: stream, isOtherSource: lost == 0)
    }
    func ended(stream: StreamName) { hub.ended(stream: stream, reason: "the stream has ended") }
    func unavailable(stream: StreamName, reason: String, isAbsence: Bool) {
        hub.unavailable(stream: stream, reason: reason, isAbsence: isAbsence)
    }
    func viewers(of stream: StreamName) -> Int { hub.viewers(of: stream) }
}
