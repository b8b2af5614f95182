import Synchronization

/// The network keys that a daemon runs with, to judge those that are to follow.
public final class KeysInUse: Sendable {
    private let keys: Mutex<[KeyFile.NetworkKey]>

    public init(_ keys: [KeyFile.NetworkKey]) { self.keys = Mutex(keys) }

    /// A phase may stand for one key only: nodes that have the one could not tell it from the other.
    public struct Refused: Error, Equatable, CustomStringConvertible {
        public var phase: UInt8
        public var description: String {
            "network key \(phase) is another one than before; give the new key a phase of its own, and keep the old one "
                + "beside it until every node has both"
        }
    }

    /// Takes other keys from now on; throws, and changes nothing, if a phase would come to stand for another key.
    public func replace(_ next: [KeyFile.NetworkKey]) throws(Refused) {
        let refused: Refused? = keys.withLock { keys in
            for key in next {
                if let known = keys.first(where: { $0.phase == key.phase }), known.bytes != key.bytes {
                    return Refused(phase: key.phase)
                }
            }
            keys = next
            return nil
        }
        if let refused { throw refused }
    }
}
