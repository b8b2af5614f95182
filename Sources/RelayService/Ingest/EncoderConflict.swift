import ReflectorModel

/// Decides who provides a stream if an encoder with the right key wants it while another one has it.
///
/// The first rule that applies counts:
///
/// 1. An encoder that has been silent for `yieldAfter` yields to anybody.
/// 2. A half-open connection is replaced by its encoder's next one: both are connections from one address, and the old
///    one is silent for `reconnectAfter` and for twice its longest pause so far. Two encoders behind one address
///    translator (NAT) that both send never meet this rule, not even if they pause regularly: then the connection that
///    has the stream has shown its pauses.
/// 3. With `takeover`, a new connection replaces the encoder at once. It then keeps the stream for `keepAfterTakeover`
///    while it sends; otherwise two encoders that both reconnect would replace each other for ever. Datagrams and pulls
///    take nothing over: two senders of datagrams would alternate with every datagram.
/// 4. Otherwise the stream stays where it is.
///
/// Silence does not count while reading from the encoder is paused.
struct EncoderConflict {
    /// Shortest silence of a half-open connection that the encoder's next connection may replace.
    static let reconnectAfter = TimeSpan.milliseconds(500)
    /// How long an encoder that took a stream over is safe from the next takeover.
    static let keepAfterTakeover = TimeSpan.seconds(5)

    enum Verdict: Hashable {
        case busy
        case yields
        case reconnected
        case takenOver

        /// Counts the encoder that is replaced; nil if none is.
        var counter: IngestCounter? {
            switch self {
            case .busy: nil
            case .yields: .encodersYielded
            case .reconnected: .encodersReconnected
            case .takenOver: .encodersTakenOver
            }
        }
    }

    /// The encoder that has the stream.
    struct Current {
        var origin: EncoderOrigin
        var silence: TimeSpan
        var longestPause: TimeSpan
        /// Time since it took the stream over; nil if it did not.
        var sinceTakeover: TimeSpan?
    }

    let current: Current
    let newcomer: EncoderOrigin
    let secondEncoder: StreamPolicy.SecondEncoder
    let yieldAfter: TimeSpan

    var verdict: Verdict {
        if current.silence >= yieldAfter { return .yields }
        if isReconnection { return .reconnected }
        let isSafe = current.sinceTakeover.map { $0 < Self.keepAfterTakeover } ?? false
        if secondEncoder == .takeover, newcomer.isConnection, !isSafe { return .takenOver }
        return .busy
    }

    private var isReconnection: Bool {
        guard current.origin.isConnection, newcomer.isConnection, let source = newcomer.source else { return false }
        return source == current.origin.source
            && current.silence >= max(Self.reconnectAfter, current.longestPause * 2)
    }
}
