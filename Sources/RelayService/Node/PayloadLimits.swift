import ReflectorModel
import Synchronization

/// For each stream with a limit, the largest payload that every path on its way carries whole: written on the node's
/// loop, read on the ingest thread.
final class PayloadLimits: Sendable {
    /// Streams with a limit: only those that this entrypoint provides, so this is never reached. When full, the node
    /// cuts further payloads instead.
    static let countMax = 4_096
    private let limits = Mutex<[StreamName: Int]>([:])

    func set(_ bytes: Int, for stream: StreamName) {
        limits.withLock { limits in
            if limits[stream] == nil, limits.count >= Self.countMax { return }
            limits[stream] = bytes
        }
    }

    func forget(_ stream: StreamName) { limits.withLock { $0[stream] = nil } }

    /// Nil without a limit.
    func limit(of stream: StreamName) -> Int? { limits.withLock { $0[stream] } }
}
