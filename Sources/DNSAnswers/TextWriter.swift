/// Writes the character strings of a TXT record in place, without allocating.
struct TextWriter {
    private let base: UnsafeMutablePointer<UInt8>
    private let limit: Int
    private(set) var position: Int
    /// True if something did not fit.
    private(set) var isFull = false

    init(_ base: UnsafeMutablePointer<UInt8>, from position: Int, limit: Int) {
        self.base = base
        self.limit = limit
        self.position = position
    }

    /// Appends `key` followed by `count` bytes, truncated to 255 bytes in total.
    mutating func string(_ key: StaticString, _ value: UnsafePointer<UInt8>?, count: Int) {
        let keyLength = min(key.utf8CodeUnitCount, 255)
        let valueLength = min(count, 255 - keyLength)
        guard position + 1 + keyLength + valueLength <= limit else { return isFull = true }
        base[position] = UInt8(keyLength + valueLength)
        (base + position + 1).update(from: key.utf8Start, count: keyLength)
        if let value { (base + position + 1 + keyLength).update(from: value, count: valueLength) }
        position += 1 + keyLength + valueLength
    }

    mutating func string(_ text: StaticString) { string(text, nil, count: 0) }

    /// Appends `key` followed by a decimal number.
    mutating func string(_ key: StaticString, number: UInt64) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var rest = number
            var first = 20
            repeat {
                first -= 1
                digits[first] = UInt8(48 + rest % 10)
                rest /= 10
            } while rest > 0
            guard let start = digits.baseAddress else { return }
            string(key, UnsafePointer(start) + first, count: 20 - first)
        }
    }

    /// Copies strings in wire form.
    mutating func wire(_ bytes: UnsafePointer<UInt8>, count: Int) {
        guard position + count <= limit else { return isFull = true }
        (base + position).update(from: bytes, count: count)
        position += count
    }
}
