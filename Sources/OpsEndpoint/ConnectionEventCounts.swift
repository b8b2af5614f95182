import HTTPServing
import ReflectorModel
import Synchronization

/// Connection events of the ops port, for `/metrics`.
final class ConnectionEventCounts: Sendable {
    private let counts = Mutex<[ConnectionEvent: UInt64]>([:])

    func count(_ event: ConnectionEvent) { counts.withLock { $0[event, default: 0] &+= 1 } }

    /// One counter for each event, even if it never happened.
    var samples: [MetricSample] {
        let counts = counts.withLock { $0 }
        return ConnectionEvent.allCases.map { event in
            MetricSample(
                name: "reflector_ops_\(event.rawValue)_total", labels: [], value: Double(counts[event] ?? 0),
                kind: .counter, help: "Connection events of the port for health and status.")
        }
    }
}
