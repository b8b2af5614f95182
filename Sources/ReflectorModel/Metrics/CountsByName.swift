extension Dictionary where Key: CaseIterable & RawRepresentable<String>, Value == UInt64 {
    /// All counters by name, including those at zero.
    public var byName: [String: UInt64] {
        Dictionary<String, UInt64>(uniqueKeysWithValues: Key.allCases.map { ($0.rawValue, self[$0] ?? 0) })
    }
}
