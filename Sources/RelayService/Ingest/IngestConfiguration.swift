import ReflectorModel

/// Where an entrypoint takes in streams, and within what limits.
public struct IngestConfiguration: Sendable {
    /// Address and port of the HTTP server for pushing encoders; nil for none.
    public var httpListen: Endpoint?
    /// Further addresses of it; one that no interface has is tried again until one has it.
    public var httpListenAlso: [Endpoint] = []
    /// Ports of one stream each that take its bytes over TCP as they are.
    public var rawTCP: [RawPort] = []
    /// Ports of one stream each that take MPEG-TS over UDP, in datagrams of any size.
    public var rawUDP: [RawPort] = []
    /// Who may send to the raw ports; they have no key.
    public var allow: [AddressRange] = AddressRange.loopback
    /// Streams that we fetch from their encoders.
    public var pulls: [Pull] = []
    /// Most bytes of a stream packet's payload: 1316, or 1128 for paths of MTU 1280 (design §7).
    public var payloadBytes = PacketPacker.payloadBytesDefault
    /// Longest time that whole TS packets wait for a payload to fill.
    public var flushAfter = TimeSpan.milliseconds(10)
    /// Fastest that one stream is let in, in bits a second; 0 for no limit. An encoder over TCP or HTTP is read more
    /// slowly, one over UDP loses what is over it for longer than `datagramBurstBytes` last.
    public var rateBitsPerSecondMax: UInt64 = 50_000_000
    /// What of one stream goes to the node at once after a pause, in bytes; the rest follows at the rate.
    public var burstBytes = 65_536
    /// What one stream may bring over UDP at once, in bytes, before any of it is over the rate: a few pictures that
    /// leave the encoder each in one burst.
    public var datagramBurstBytes = 4 << 20
    /// Most bytes of a stream over UDP that wait to go to the node.
    public var datagramQueueBytesMax = 8 << 20
    /// Most streams taken in at once.
    public var encodersMax = 64
    /// Most connections to one port, accepted or still being asked for their key.
    public var connectionsMax = 256
    /// Of these from one address.
    public var connectionsPerAddressMax = 80
    /// A connection that brings this much in a row without any MPEG-TS packet is refused.
    public var junkBytesMax = 1 << 20
    /// How long a wrong key waits for its answer: with the limit above, what guessing is slowed down to.
    public var wrongKeyDelay = TimeSpan.milliseconds(500)
    /// Longest from a connection to its whole HTTP head.
    public var headTimeout = TimeSpan.seconds(5)
    /// Longest silence of a connected encoder before it is dropped.
    public var idleTimeout = TimeSpan.seconds(10)
    /// An encoder silent for this long gives its stream up to another one that asks for it; and a stream over UDP
    /// ends.
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
