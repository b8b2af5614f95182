import TransactionSigning

/// The TSIG sessions of signed NOTIFY messages that are not answered yet: one for each target and zone, as in
/// `NotifySchedule`. Several zones may be pending at one target, and each answer is checked with its own session.
struct NotifySessions {
    private struct Key: Hashable {
        var target: Int
        var zone: String

        init(_ message: NotifySchedule.Message) { (target, zone) = (message.target, message.zone) }
    }

    private var sessions: [Key: TSIGSession] = [:]

    var count: Int { sessions.count }

    /// Keeps the session of a message that is being sent. It replaces the session of an earlier message to the same
    /// target for the same zone.
    mutating func keep(_ session: TSIGSession, for message: NotifySchedule.Message) { sessions[Key(message)] = session }

    /// Removes the session of a message that the caller has given up.
    mutating func forget(_ message: NotifySchedule.Message) { sessions[Key(message)] = nil }

    /// True if the response is signed with the message's key. Removes the session if so.
    ///
    /// - Parameter now: seconds since 1970.
    mutating func accept(_ response: [UInt8], as message: NotifySchedule.Message, now: Int64) -> Bool {
        guard var session = sessions[Key(message)], session.check(response, now: now) else { return false }
        sessions[Key(message)] = nil
        return true
    }
}
