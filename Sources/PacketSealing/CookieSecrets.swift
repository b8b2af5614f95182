import CCrypto

/// The secrets behind cookies: one for each generation, drawn when it is first asked for, the newest two kept.
struct CookieSecrets {
    private static let secretLength = 32
    private var newest: (generation: UInt64, context: MACContext)?
    private var previous: (generation: UInt64, context: MACContext)?

    /// The secret of a generation; a newer one than any before is drawn, and the one before the last forgotten. Nil
    /// for a generation that is forgotten or was never drawn, and if libcrypto refuses.
    mutating func context(generation: UInt64) -> MACContext? {
        if let newest, newest.generation == generation { return newest.context }
        if let previous, previous.generation == generation { return previous.context }
        if let newest, generation < newest.generation { return nil }
        guard let context = Self.draw() else { return nil }
        previous?.context.free()
        previous = newest
        newest = (generation, context)
        return context
    }

    mutating func free() {
        newest?.context.free()
        previous?.context.free()
        newest = nil
        previous = nil
    }

    private static func draw() -> MACContext? {
        withUnsafeTemporaryAllocation(byteCount: secretLength, alignment: 8) { secret in
            defer { OPENSSL_cleanse(secret.baseAddress, secret.count) }
            guard RAND_bytes(secret.bytePointer, Int32(secret.count)) == 1 else { return nil }
            return MACContext(key: UnsafeRawBufferPointer(secret))
        }
    }
}
