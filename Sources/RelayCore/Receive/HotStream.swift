import ReflectorModel

/// What a set reflector keeps of a stream that two entrypoints forward at once (`standby=hot`), so that it can merge
/// their feeds: the recent payloads by number, and which feeds proved different. The feeds besides the stream's own
/// incarnation belong to their paths (`TwinFeed`).
///
/// A stream has one only at a set reflector that fetches it from entrypoints, so other streams pay nothing for it.
final class HotStream {
    /// What comparing a packet with those of the same number has shown.
    enum Comparison: Equatable {
        /// No feed has brought the number before.
        case unknown
        /// Another feed has brought the same payload.
        case agrees
        /// The feed itself has brought it before.
        case repeated
        /// The feed with this mark has brought another payload.
        case differs(from: UInt8)
    }

    /// Mark of the stream's own incarnation in `payloads`; a twin's mark is the bit of its path.
    static let own: UInt8 = 0
    /// Mark of twins whose path is gone.
    static let gone: UInt8 = 0x80

    /// Payloads by the numbers of the stream's own incarnation, from whichever feed came first.
    private(set) var payloads = PayloadRing()
    private var sealed = SealedNumbers()
    /// The zone says that the stream is hot. If not any more, the present twins stay until they are not needed.
    private(set) var isWanted = true
    /// The stream's own incarnation is over, so that an entrypoint's next reply replaces it. Set by `Fetcher`.
    private(set) var givesWay = false
    /// Hosts whose feeds proved different, and until when they are not tried again.
    private var different: [(host: String, endpoint: Endpoint, until: MonotonicInstant)] = []
    private var isReported = false

    private static let differentMax = 8
    static let retryDifferentAfter = TimeSpan.seconds(60)
    /// How far a twin may run ahead of the stream, in packets, besides what the stream's rate explains.
    private static let leadMax: UInt64 = 1_024
    /// More packets a second than any stream has; also the most that silence explains.
    private static let rateMax = 65_536.0

    func follow(isWanted: Bool) { self.isWanted = isWanted }
    func giveWay(_ isOver: Bool) { givesWay = isOver }

    /// The stream begins another incarnation.
    func restart() {
        payloads = PayloadRing()
        sealed = SealedNumbers()
        givesWay = false
    }

    // MARK: Packets

    /// Compares a packet with those of the same number, and notes it if there is none. The payload of the own
    /// incarnation replaces that of a twin.
    func compare(_ number: UInt64, _ hash: UInt64, of feed: UInt8) -> Comparison {
        guard let known = payloads.packet(number) else {
            payloads.note(number, hash, of: feed)
            return .unknown
        }
        if known.hash == hash { return known.feed == feed ? .repeated : .agrees }
        if feed == Self.own { payloads.note(number, hash, of: feed, replaces: true) }
        return known.feed == feed ? .repeated : .differs(from: known.feed)
    }

    /// Whether a twin can have reached this number: it may be ahead of the stream, but not by more than the stream's
    /// rate explains.
    ///
    /// - Parameters:
    ///   - highest: the stream's highest number.
    ///   - rate: packets per second.
    ///   - silence: since the stream's last packet.
    func isPlausible(_ number: UInt64, after highest: UInt64, rate: Double, silence: TimeSpan) -> Bool {
        guard number > highest else { return true }
        let explained = UInt64(min(4 * min(max(rate, 0), Self.rateMax) * max(silence.seconds, 0), Self.rateMax))
        return number - highest <= Self.leadMax + explained
    }

    /// True if the number may be sealed with the twin key; see `SealedNumbers`.
    func takeNumber(_ number: UInt64) -> Bool { sealed.admit(number) }

    // MARK: Different feeds

    /// The feed of this host is not the stream's. True if an operator should be told.
    func noteDifferent(_ host: String, _ endpoint: Endpoint, at now: MonotonicInstant) -> Bool {
        different.removeAll { $0.endpoint == endpoint || $0.until <= now }
        if different.count >= Self.differentMax { different.removeFirst() }
        different.append((host, endpoint, now + Self.retryDifferentAfter))
        defer { isReported = true }
        return !isReported
    }

    /// Feeds have been merged: the next difference is reported again.
    func noteMerged() { isReported = false }

    func isDifferent(_ endpoint: Endpoint, at now: MonotonicInstant) -> Bool {
        different.contains { $0.endpoint == endpoint && now < $0.until }
    }

    /// Hosts whose feeds are left out now.
    func different(at now: MonotonicInstant) -> [String] { different.filter { now < $0.until }.map(\.host) }
}

extension StreamState {
    /// See `HotStream.isPlausible`.
    func isPlausible(_ number: UInt64, at now: MonotonicInstant) -> Bool {
        guard let hot, let incarnation else { return false }
        return hot.isPlausible(
            number, after: incarnation.index.highest, rate: arrivals.rate.perSecond(at: now),
            silence: now - arrivals.lastKept)
    }
}
