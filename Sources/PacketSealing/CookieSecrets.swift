import CCrypto

/// The secrets of the cookies: one for each generation, created at its first use. The newest two are kept.
struct CookieSecrets {
    private static let secretLength = 32
    private var newest: (generation: UInt64, context: MACContext)?
    private var previous: (generation: UInt64, context: MACContext)?

    /// The secret of a generation. A generation that is newer than all earlier ones gets a new secret; of the earlier
    /// secrets only the newest is kept. Nil for an older generation without a secret, and if libcrypto fails.
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
