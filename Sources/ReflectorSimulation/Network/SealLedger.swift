import ReflectorModel

/// What all nodes of a simulation have sealed: two contents under one key and number would betray both.
final class SealLedger {
    private struct Place: Hashable {
        var key: UInt64
        var number: UInt64
    }

    private var sealed: [Place: UInt64] = [:]
    /// How often a number was sealed with another content than before.
    private(set) var conflicts: UInt64 = 0

    func note(key: UInt64, _ number: UInt64, _ header: UnsafeRawBufferPointer, _ payload: UnsafeRawBufferPointer) {
        var hash = KeyedHash(key: 1)
        hash.add(header)
        hash.add(payload)
        if let before = sealed.updateValue(hash.value, forKey: Place(key: key, number: number)), before != hash.value {
            conflicts += 1
        }
    }
}
