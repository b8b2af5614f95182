/// Encodings of bytes in master files: hexadecimal (RFC 4648 §8), base 64 (§4), base 32 with extended hex digits (§7).
enum BinaryText {
    /// Decodes hexadecimal. Nil for anything but pairs of digits.
    static func hex(_ text: some Sequence<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        var high: UInt8?
        for byte in text {
            guard let digit = hexDigit(byte) else { return nil }
            if let first = high {
                result.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        return high == nil ? result : nil
    }

    static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 48...57: byte - 48
        case 65...70: byte - 55
        case 97...102: byte - 87
        default: nil
        }
    }

    static func hex(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    private static let digits64 = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let values64: [UInt8?] = {
        var values: [UInt8?] = Array(repeating: nil, count: 256)
        for (value, digit) in digits64.enumerated() { values[Int(digit)] = UInt8(value) }
        return values
    }()

    /// Decodes base 64. Nil unless the text is groups of four with `=` only at the end, and all unused bits are zero.
    static func base64(_ text: [UInt8]) -> [UInt8]? {
        guard text.count % 4 == 0 else { return nil }
        let padding = text.reversed().prefix { $0 == UInt8(ascii: "=") }.count
        guard padding <= 2 else { return nil }
        var result: [UInt8] = []
        result.reserveCapacity(text.count / 4 * 3)
        var (bits, count) = (UInt32(0), 0)
        for byte in text.dropLast(padding) {
            guard let value = values64[Int(byte)] else { return nil }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                result.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return bits & ((1 << UInt32(count)) - 1) == 0 ? result : nil
    }

    static func base64(_ bytes: ArraySlice<UInt8>) -> String {
        var text: [UInt8] = []
        var at = bytes.startIndex
        while at < bytes.endIndex {
            let group = bytes[at..<min(at + 3, bytes.endIndex)]
            let bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
            for digit in 0..<4 {
                text.append(
                    digit > group.count ? UInt8(ascii: "=") : digits64[Int(bits >> UInt32(18 - 6 * digit) & 63)])
            }
            at += 3
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Decodes base 32 without padding. Nil if a character is not a digit of base 32, if no data has this length, or if
    /// an unused bit is not zero.
    static func base32(_ text: some Sequence<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        var (bits, count) = (UInt32(0), 0)
        for byte in text {
            let value: UInt8
            switch byte {
            case 48...57: value = byte - 48
            case 65...86: value = byte - 55
            case 97...118: value = byte - 87
            default: return nil
            }
            bits = bits << 5 | UInt32(value)
            count += 5
            if count >= 8 {
                count -= 8
                result.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return count < 5 && bits & ((1 << UInt32(count)) - 1) == 0 ? result : nil
    }

    static func base32(_ bytes: ArraySlice<UInt8>) -> String {
        let digits = Array("0123456789abcdefghijklmnopqrstuv".utf8)
        var text: [UInt8] = []
        var (bits, count) = (UInt32(0), 0)
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 5 {
                count -= 5
                text.append(digits[Int(bits >> UInt32(count) & 31)])
            }
        }
        if count > 0 { text.append(digits[Int(bits << UInt32(5 - count) & 31)]) }
        return String(decoding: text, as: UTF8.self)
    }
}
