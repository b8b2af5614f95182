/// When a push with several destinations connects to one of them again, and what it tells about the interruption.
struct PushRetries {
    /// A connection that lasts this long has been accepted: the answer to a wrong key comes after half of it.
    static let accepted = Duration.seconds(1)

    private static let first = Duration.milliseconds(500)
    private static let longest = Duration.seconds(2)
    private static let afterRefusal = Duration.seconds(5)

    private var failures = 0
    private var toldFailure = false
    private var toldRefusal = false

    /// - Returns: the time until the next attempt, and whether to tell the cause: once an interruption, and a refusal
    /// that ends the attempts of an interruption once more.
    mutating func failed(_ failure: HTTPPush.Failure) -> (pause: Duration, tells: Bool) {
        failures += 1
        if Self.isLasting(failure) {
            defer { (toldFailure, toldRefusal) = (true, true) }
            return (Self.afterRefusal, !toldRefusal)
        }
        defer { toldFailure = true }
        guard failures > 1 else { return (.zero, !toldFailure) }
        return (min(Self.first * (1 << min(failures - 2, 8)), Self.longest), !toldFailure)
    }

    /// The destination has accepted a connection.
    /// - Returns: true if that ends an interruption.
    mutating func succeeded() -> Bool {
        defer { self = PushRetries() }
        return toldFailure
    }

    /// True for answers that will be the same until somebody changes something. Another encoder (409) and an entrypoint
    /// that cannot accept now (408, 429, 5xx) may be different a moment later.
    private static func isLasting(_ failure: HTTPPush.Failure) -> Bool {
        guard case .refused(let answer) = failure, answer.hasPrefix("HTTP/1."),
            let status = Int(answer.dropFirst(9).prefix(3))
        else { return false }
        return (300..<500).contains(status) && ![408, 409, 429].contains(status)
    }
}
