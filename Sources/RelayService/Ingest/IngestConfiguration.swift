import ReflectorModel

/// Where an entrypoint accepts streams, and its limits.
public struct IngestConfiguration: Sendable {
    /// Address and port of the HTTP server to which encoders push; nil for none.
    public var httpListen: Endpoint?
    /// More addresses of this server. On an address that no interface has yet, listening is retried until one has it.
    public var httpListenAlso: [Endpoint] = []
    /// Ports that take one stream each as plain bytes over TCP.
    public var rawTCP: [RawPort] = []
    /// Ports of one stream each that take MPEG-TS over UDP, in datagrams of any size.
    public var rawUDP: [RawPort] = []
    /// Who may send to the raw ports, which require no key.
    public var allow: [CIDRBlock] = CIDRBlock.loopback
    /// Streams that we can fetch from their encoders; see `IngestServer.setPullWanted`.
    public var pulls: [Pull] = []
    /// Maximum size of a stream packet's payload in bytes: 1316, or 1128 for paths of MTU 1280 (design §7).
    public var payloadBytes = PacketPacker.payloadBytesDefault
    /// Longest time that whole TS packets wait for a payload to fill.
    public var flushAfter = TimeSpan.milliseconds(10)
    /// Maximum input rate of one stream, in bits a second; 0 for no limit. A faster encoder is read more slowly if it
    /// sends over TCP or HTTP; over UDP, it loses the excess after `datagramBurstBytes`.
    public var rateBitsPerSecondMax: UInt64 = 50_000_000
    /// Bytes of one stream that go to the node at once after a pause; the rest follows at the rate.
    public var burstBytes = 65_536
    /// Bytes of one stream that may come over UDP in one burst before any of them count as over the rate: a few
    /// pictures, each of which an encoder sends in one burst.
    public var datagramBurstBytes = 4 << 20
    /// Maximum number of bytes of a stream over UDP that wait to go to the node.
    public var datagramQueueBytesMax = 8 << 20
    /// Maximum number of encoders at a time.
    public var encodersMax = 64
    /// Maximum number of connections to the HTTP server and the raw TCP ports together, including those without a
    /// verified key.
    public var connectionsMax = 256
    /// Maximum number of these connections from one address.
    public var connectionsPerAddressMax = 80
    /// A connection is ended if it sends more than this many bytes in a row without any MPEG-TS packet.
    public var junkBytesMax = 1 << 20
    /// Delay of the answer to a wrong key; together with the limits of connections above, it slows down guessing.
    public var wrongKeyDelay = TimeSpan.milliseconds(500)
    /// Longest time from a connection's start to its complete HTTP head.
    public var headTimeout = TimeSpan.seconds(5)
    /// Longest silence of a connected encoder before it is dropped.
    public var idleTimeout = TimeSpan.seconds(10)
    /// An encoder that has been silent for this long yields its stream to the next one that requests it; over UDP, its
    /// stream ends even if no other encoder requests it.
    public var yieldAfter = TimeSpan.seconds(3)
    /// A multicast group that is silent for this long is joined again.
    public var rejoinAfter = TimeSpan.seconds(10)

    public init() {}

    /// A stream and where its encoder serves it: `live/sport=http://encoder.example/sport.ts`.
    public struct Pull: Hashable, Sendable {
        public var stream: StreamName
        /// `http` or `https`, perhaps with `USER:PASSWORD@`.
        public var url: String

        public init(stream: StreamName, url: String) {
            self.stream = stream
            self.url = url
        }

        /// Reads `STREAM=URL`. Nil for anything else.
        public init?(_ text: String) {
            guard let (stream, value) = splitAssignment(text), PullAddress(String(value)) != nil else { return nil }
            self.init(stream: stream, url: String(value))
        }
    }
}

/// Reads `STREAM=VALUE`.
func splitAssignment(_ text: String) -> (StreamName, Substring)? {
    guard let equals = text.firstIndex(of: "="), let stream = StreamName(text[..<equals]) else { return nil }
    return (stream, text[text.index(after: equals)...])
}
