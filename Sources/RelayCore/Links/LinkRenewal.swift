import NodeIdentity
import ReflectorModel

/// When a link gets new keys, and when its peer's certificate is checked again.
struct LinkRenewal {
    /// How long messages under the old keys may still arrive.
    private static let overlap = TimeSpan.seconds(5)
    /// Before another try, if the handshake for new keys failed.
    private static let pause = TimeSpan.seconds(30)
    /// A link one of whose certificates expires this soon asks for new keys, again and again (`pause`): the parent may
    /// have a newer certificate by then, which the child learns only from a handshake.
    private static let secondsBeforeExpiry: UInt64 = 600
    private static let standingInterval = TimeSpan.seconds(1)

    /// Our token for the link under the new keys, while they are being agreed on.
    private(set) var childToken: UInt64?
    private var keyedAt: MonotonicInstant = .zero
    private var packetsAtKeys: UInt32 = 0
    private var notBefore: MonotonicInstant = .zero
    private var wantedAt: MonotonicInstant = .distantFuture
    private var checkedAt: MonotonicInstant?

    /// New keys are in use.
    ///
    /// - Parameter packets: link packet number of the newest packet.
    mutating func noteKeys(packets: UInt32, at now: MonotonicInstant) {
        keyedAt = now
        packetsAtKeys = packets
        childToken = nil
        wantedAt = .distantFuture
        notBefore = now + Self.pause
    }

    mutating func want(at: MonotonicInstant) {
        wantedAt = min(wantedAt, at)
        notBefore = min(notBefore, at)
    }

    mutating func begin(childToken: UInt64) { self.childToken = childToken }

    mutating func abandon(at now: MonotonicInstant) -> UInt64? {
        notBefore = now + Self.pause
        defer { childToken = nil }
        return childToken
    }

    func isDue(packets: UInt32, secondsLeft: UInt64, at now: MonotonicInstant) -> Bool {
        guard now >= notBefore else { return false }
        return now >= wantedAt || secondsLeft <= Self.secondsBeforeExpiry
            || RekeyRule.isDue(packets: UInt64(packets &- packetsAtKeys), age: now - keyedAt)
    }

    /// Whether the link may be used no more.
    func isOver(packets: UInt32, at now: MonotonicInstant) -> Bool {
        RekeyRule.isOver(packets: UInt64(packets &- packetsAtKeys), age: now - keyedAt)
    }

    func isOldOver(at now: MonotonicInstant) -> Bool { now - keyedAt >= Self.overlap }

    mutating func takeStandingCheck(at now: MonotonicInstant) -> Bool {
        if let checkedAt, now - checkedAt < Self.standingInterval { return false }
        checkedAt = now
        return true
    }
}
