import Logging
import NIOCore
import ReflectorModel
import Synchronization

/// Limits the connections of one HTTP port across all its event loops: admits new ones, evicts others to make room, and
/// counts these events.
final class ConnectionLimiter: Sendable {
    private struct State {
        var table: ConnectionTable
        var channels: [ConnectionTable.ID: any Channel] = [:]
    }

    private let state: Mutex<State>
    private let name: String
    private let logger: Logger
    private let onEvent: @Sendable (ConnectionEvent) -> Void
    let bounds: ConnectionBounds

    /// - Parameters:
    ///   - name: the port's name, for the log.
    ///   - onEvent: counts an event.
    init(
        bounds: ConnectionBounds, name: String, logger: Logger, onEvent: @escaping @Sendable (ConnectionEvent) -> Void
    ) {
        self.bounds = bounds
        self.name = name
        self.logger = logger
        self.onEvent = onEvent
        state = Mutex(
            State(
                table: ConnectionTable(
                    connectionsMax: bounds.connectionsMax, perAddressMax: bounds.connectionsPerAddressMax,
                    closesBusy: bounds.closesBusy)))
    }

    /// Admits a connection, and closes the one that it evicts. Nil if the new connection must be closed at once.
    func admit(_ channel: any Channel) -> ConnectionTable.ID? {
        let address = channel.remoteAddress?.ipAddress.flatMap { IPAddress(Self.withoutScope($0)) }
        let now = Self.now
        let (id, evicted, event) = state.withLock { state in
            switch state.table.admit(address ?? IPAddress(high: 0, low: 0), at: now) {
            case .refused(let event):
                return (ConnectionTable.ID?.none, (any Channel)?.none, ConnectionEvent?.some(event))
            case .admitted(let id, let evicted, let event):
                let other = evicted.flatMap { state.channels.removeValue(forKey: $0) }
                state.channels[id] = channel
                return (id, other, event)
            }
        }
        evicted?.close(promise: nil)
        if let event { note(event, address) }
        return id
    }

    /// Notes that a complete request head has arrived.
    func busy(_ id: ConnectionTable.ID) {
        let now = Self.now
        state.withLock { $0.table.busy(id, at: now) }
    }

    /// Notes that all answers have been sent.
    func idle(_ id: ConnectionTable.ID) {
        let now = Self.now
        state.withLock { $0.table.idle(id, at: now) }
    }

    /// Removes a connection that has ended.
    func remove(_ id: ConnectionTable.ID) {
        state.withLock { state in
            state.table.remove(id)
            state.channels[id] = nil
        }
    }

    func count(_ event: ConnectionEvent) { onEvent(event) }

    private func note(_ event: ConnectionEvent, _ address: IPAddress?) {
        onEvent(event)
        let from = address.map { "\($0)" } ?? "unknown"
        let (inAll, each) = (bounds.connectionsMax, bounds.connectionsPerAddressMax)
        switch event {
        case .evictedOfAddress, .refusedOfAddress:
            logger.warning(
                "\(name): an address is at its connection limit; find out which client it is and whether to block it",
                metadata: ["from": "\(from)", "max": "\(each)", "what": "\(event.rawValue)"])
        default:
            logger.warning(
                "\(name): all connections are taken; each new one evicts the one idle longest",
                metadata: ["from": "\(from)", "max": "\(inAll)", "what": "\(event.rawValue)"])
        }
    }

    private static var now: Int64 { Int64(clamping: NIODeadline.now().uptimeNanoseconds) }

    /// `fe80::1%eth0` without its zone.
    private static func withoutScope(_ text: String) -> Substring { text.prefix { $0 != "%" } }
}
