import ReflectorModel

/// Where an encoder's bytes come from.
struct EncoderOrigin: Hashable, Sendable {
    /// The four inputs of an entrypoint.
    enum Input: Hashable, Sendable {
        case http
        case tcp
        case udp
        case pull
    }

    var input: Input
    /// The encoder's address; nil for a pull.
    var source: IPAddress?

    /// The encoder opened a connection to us, and its end of the connection may be gone without a notice.
    var isConnection: Bool { input == .http || input == .tcp }

    /// For the log.
    var description: String { source?.description ?? "pull" }
}
