import ArgumentParser
import Logging
import ReflectorModel
import ServiceLifecycle
import StreamHandover
import StreamingServer

/// Options of an edge that hands streams to other people's streaming servers.
struct HandoverOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Multicast groups for requested streams, as MPEG-TS over UDP: PREFIX:PORT,interface=NAME[,rtp]. A stream's \
            name decides its group. For the group of one stream: STREAM=GROUP:PORT,interface=NAME[,rtp]. Repeatable.
            """, valueName: "groups"))
    var udpOut: [String] = []

    @Option(
        help: ArgumentHelp(
            """
            Hosts to which streams may be sent over UDP unicast, e.g. 192.0.2.0/28. Repeatable; none by default, so \
            that nobody can be flooded.
            """, valueName: "prefix"))
    var udpOutAllow: [String] = []

    @Option(help: "Most bits a second to all destinations together.")
    var udpOutRateMax = BitRate(500_000_000)

    @Option(help: "Most bits a second to one destination; its beginning is not sent faster either.")
    var udpOutStreamRateMax = BitRate(50_000_000)

    @Option(help: "Most destinations at once.")
    var udpOutMax = 64

    @Option(
        help: """
            Requests of streaming servers over HTTP on ADDRESS:PORT, with --udp-out or --udp-out-allow. By default \
            loopback, port 4981.
            """)
    var requestListen: String?

    @Option(
        help: ArgumentHelp(
            "Streaming servers that may request, e.g. 192.0.2.0/28. Repeatable; loopback by default.",
            valueName: "prefix"))
    var requestAllow: [String] = []

    /// A lower rate would not even carry audio.
    private static let rateLeast: UInt64 = 64_000
    private static let outputsMax = 1...1_024
    private static let port: UInt16 = 4_981

    var isEnabled: Bool { !udpOut.isEmpty || !udpOutAllow.isEmpty }

    func validate() throws {
        _ = try configuration(at: Endpoint(address: IPAddress(v4: 0), port: 0))
        guard isEnabled || (requestListen == nil && requestAllow.isEmpty) else {
            throw ValidationError("--request-listen and --request-allow need --udp-out or --udp-out-allow")
        }
        guard Self.outputsMax.contains(udpOutMax) else {
            throw ValidationError("--udp-out-max takes 1 to \(Self.outputsMax.upperBound), not \(udpOutMax)")
        }
        for (name, rate) in [("rate-max", udpOutRateMax), ("stream-rate-max", udpOutStreamRateMax)] {
            guard rate.bitsPerSecond >= Self.rateLeast else {
                throw ValidationError("--udp-out-\(name) takes \(Self.rateLeast) bits a second or more")
            }
        }
    }

    /// The hand-over of a node's streams; nil if it is not configured.
    func service(
        of node: NodeOptions, own: Endpoint, hub: LiveStreamHub, logger: Logger,
        onReady: @escaping @Sendable () -> Void
    ) throws -> (handover: StreamHandover, service: any Service)? {
        guard isEnabled else { return nil }
        let address = own.address.isLoopback ? own.address : IPAddress(v4: 0x7f00_0001)
        let endpoint = try node.endpoint(
            requestListen, option: "--request-listen", own: Endpoint(address: address, port: 0), port: Self.port)
        let handover = try StreamHandover(
            configuration: try configuration(at: endpoint), hub: hub, logger: logger, onReady: { _ in onReady() })
        return (
            handover,
            ListeningService(what: "requests of streaming servers", endpoint: endpoint, service: handover)
        )
    }

    private func configuration(at endpoint: Endpoint) throws -> HandoverConfiguration {
        var configuration = HandoverConfiguration(endpoint: endpoint)
        for text in udpOut {
            if let group = StreamGroup(text) {
                configuration.groups.append(group)
            } else if let range = GroupRange(text) {
                configuration.ranges.append(range)
            } else {
                throw ValidationError(
                    "--udp-out: '\(text)' is not PREFIX:PORT,interface=NAME or STREAM=GROUP:PORT,interface=NAME, e.g. "
                        + "239.1.0.0/16:5000,interface=eth1")
            }
        }
        configuration.allow = try prefixes(udpOutAllow, option: "--udp-out-allow")
        if !requestAllow.isEmpty { configuration.requesters = try prefixes(requestAllow, option: "--request-allow") }
        configuration.rateMax = udpOutRateMax.bitsPerSecond
        configuration.rateOfOutputMax = udpOutStreamRateMax.bitsPerSecond
        configuration.outputsMax = udpOutMax
        return configuration
    }

    private func prefixes(_ texts: [String], option: String) throws -> [CIDRBlock] {
        try texts.map { text in
            guard let block = CIDRBlock(text) else {
                throw ValidationError("\(option): '\(text)' is not a prefix, e.g. 192.0.2.0/24")
            }
            return block
        }
    }
}
