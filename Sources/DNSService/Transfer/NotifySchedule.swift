import ReflectorModel

/// When to notify each secondary of a serial (RFC 1996 §3.6): at once, then with retries at growing intervals until the
/// secondary answers or the limit is reached. A newer serial replaces one that is still pending.
struct NotifySchedule {
    /// Maximum number of messages for one serial.
    static let attemptsMax = 8
    static let firstInterval = TimeSpan.milliseconds(500)
    static let intervalMax = TimeSpan.seconds(60)

    /// One message to be sent.
    struct Message: Equatable {
        var target: Int
        var zone: String
        var serial: UInt32
        var id: UInt16
    }

    private struct Entry {
        var message: Message
        var attempts = 0
        var dueAt: MonotonicInstant
    }

    /// At most one for each target and zone.
    private var entries: [Entry] = []
    private(set) var givenUp: [Message] = []

    /// - Parameter id: message id; hard to guess, so that others can't answer in place of the target.
    mutating func announce(target: Int, zone: String, serial: UInt32, id: UInt16, at now: MonotonicInstant) {
        entries.removeAll { $0.message.target == target && $0.message.zone == zone }
        entries.append(Entry(message: Message(target: target, zone: zone, serial: serial, id: id), dueAt: now))
    }

    /// The messages to send now. Entries that have reached the limit move to `givenUp`.
    mutating func due(at now: MonotonicInstant) -> [Message] {
        givenUp = entries.filter { $0.dueAt <= now && $0.attempts >= Self.attemptsMax }.map(\.message)
        entries.removeAll { $0.dueAt <= now && $0.attempts >= Self.attemptsMax }
        var messages: [Message] = []
        for number in entries.indices where entries[number].dueAt <= now {
            let interval = TimeSpan(nanoseconds: Self.firstInterval.nanoseconds << Int64(entries[number].attempts))
            entries[number].attempts += 1
            entries[number].dueAt = now + min(interval, Self.intervalMax)
            messages.append(entries[number].message)
        }
        return messages
    }

    /// The pending message that a response with this id answers; nil if there is none.
    func message(target: Int, id: UInt16) -> Message? {
        entries.first { $0.message.target == target && $0.message.id == id }?.message
    }

    mutating func answered(_ message: Message) { entries.removeAll { $0.message == message } }

    var nextDue: MonotonicInstant? { entries.map(\.dueAt).min() }
}
