import ReflectorModel
import Synchronization

/// For each stream with a limit, the largest payload that every path of the stream carries in one piece: written on the
/// node's loop, read on the ingest thread.
final class PayloadLimits: Sendable {
    /// Maximum number of streams with a limit. Only streams that this entrypoint provides have a limit, so this number
    /// is never reached. If it were, the node would cut the payloads of further streams instead.
    static let countMax = 4_096
    private let limits = Mutex<[StreamName: Int]>([:])

    func set(_ bytes: Int, for stream: StreamName) {
        limits.withLock { limits in
            if limits[stream] == nil, limits.count >= Self.countMax { return }
            limits[stream] = bytes
        }
    }

    func forget(_ stream: StreamName) { limits.withLock { $0[stream] = nil } }

    /// Nil if the stream has no limit.
    func limit(of stream: StreamName) -> Int? { limits.withLock { $0[stream] } }
}
