import Synchronization

/// The network keys that a daemon uses. New keys are checked against them.
public final class KeysInUse: Sendable {
    private let keys: Mutex<[KeyFile.NetworkKey]>

    public init(_ keys: [KeyFile.NetworkKey]) { self.keys = Mutex(keys) }

    /// A phase may identify only one key: otherwise a node with the old key could not distinguish it from the new one.
    public struct Refused: Error, Equatable, CustomStringConvertible {
        public var phase: UInt8
        public var description: String {
            "network key \(phase) differs from the one in use; give the new key a phase of its own, and keep the old "
                + "one beside it until every node has both"
        }
    }

    /// Replaces the keys. Throws, and changes nothing, if a phase in use would identify another key.
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
