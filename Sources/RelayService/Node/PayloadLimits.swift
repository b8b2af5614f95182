import ReflectorModel
import Synchronization

/// Largest payload of each stream that a path on its way cannot carry whole: set on the node's loop, read on the ingest
/// thread.
final class PayloadLimits: Sendable {
    /// Streams with a limit: those that this entrypoint provides, so it is never reached. When full, further ones are cut
    /// in the node instead.
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
