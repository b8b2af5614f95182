import Glibc
import LDNSKit

/// Why RDATA can't be read, with the word that causes the error.
struct RecordError: Error {
    var word: Word
    /// The problem, and its remedy.
    var message: String
}

/// Reads RDATA of a master file, word by word, into wire form. No number wraps around and nothing is guessed: each
/// number is checked against the range of its field, each name (with the origin) against 255 bytes, and the result
/// against the type's wire form.
struct RecordReader {
    private(set) var words: ArraySlice<Word>
    let origin: [UInt8]
    /// The word read last, at whose position missing data is reported.
    private(set) var last: Word
    var data: [UInt8] = []

    /// - Parameters:
    ///   - behind: the word that precedes the data.
    ///   - origin: the name that completes relative names, in wire form.
    static func read(
        type: UInt16, _ words: ArraySlice<Word>, behind: Word, origin: [UInt8]
    ) throws(RecordError) -> [UInt8] {
        var reader = RecordReader(words: words, origin: origin, last: behind)
        if words.first?.text == "\\#" {
            try reader.unknown()
        } else if let schema = RecordSchema.of(type) {
            for field in schema.fields { try reader.read(field) }
            if let extra = reader.words.first {
                throw RecordError(
                    word: extra, message: "one word too many, '\(extra.text.prefix(40))'; remove it, or quote a text")
            }
        } else {
            throw RecordError(
                word: words.first ?? behind, message: "this type's data is known by bytes only; write \\# LENGTH HEX")
        }
        if let problem = RecordWire.problem(type: type, reader.data) {
            throw RecordError(word: words.first ?? behind, message: problem)
        }
        return reader.data
    }

    private init(words: ArraySlice<Word>, origin: [UInt8], last: Word) {
        self.words = words
        self.origin = origin
        self.last = last
    }

    // MARK: Words

    func failure(_ word: Word, _ message: String) -> RecordError { RecordError(word: word, message: message) }

    /// The next word; `what` names the expected value.
    mutating func next(_ what: String) throws(RecordError) -> Word {
        guard let word = words.popFirst() else { throw failure(last, "\(what) is missing behind this; add it") }
        last = word
        return word
    }

    /// The next word, which must not be quoted.
    mutating func bare(_ what: String) throws(RecordError) -> Word {
        let word = try next(what)
        guard word.text.utf8.first != UInt8(ascii: "\"") else {
            throw failure(word, "\(what) stands here without quotes; remove them")
        }
        return word
    }

    /// The remaining words, joined without spaces.
    private mutating func joined(_ what: String) throws(RecordError) -> (text: [UInt8], first: Word) {
        let first = words.first ?? last
        var text: [UInt8] = []
        while !words.isEmpty { text += Array(try bare(what).text.utf8) }
        return (text, first)
    }

    /// The bytes of the next word, without quotes and with escapes decoded.
    mutating func bytes(_ what: String) throws(RecordError) -> [UInt8] { try Self.unescaped(next(what)) }

    static func unescaped(_ word: Word) throws(RecordError) -> [UInt8] {
        var text = Array(word.text.utf8)[...]
        if text.first == UInt8(ascii: "\"") { text = text.dropFirst().dropLast() }
        guard text.contains(UInt8(ascii: "\\")) else { return Array(text) }
        var result: [UInt8] = []
        var bytes = text.makeIterator()
        while let byte = bytes.next() {
            guard byte == UInt8(ascii: "\\") else {
                result.append(byte)
                continue
            }
            guard let value = LDNSName.escape(&bytes) else {
                throw RecordError(word: word, message: "a bad escape; write a byte as \\000 to \\255")
            }
            result.append(value)
        }
        return result
    }

    // MARK: Numbers

    static func number(_ text: some Collection<UInt8>, max: Int) -> Int? {
        guard !text.isEmpty, text.count <= 20, text.allSatisfy({ $0 >= 48 && $0 <= 57 }) else { return nil }
        var value = 0
        for byte in text {
            value = value * 10 + Int(byte - 48)
            if value > max { return nil }
        }
        return value
    }

    mutating func number(max: Int, _ what: String = "a number") throws(RecordError) -> Int {
        let word = try bare(what)
        guard let value = Self.number(word.text.utf8, max: max) else {
            throw failure(word, "'\(word.text.prefix(40))' is not \(what) from 0 to \(max); correct it")
        }
        return value
    }

    /// Reads a number, or a name that stands for one. The keys of `names` are in upper case.
    mutating func number(max: Int, _ names: [String: Int], _ what: String) throws(RecordError) -> Int {
        if let word = words.first, let known = names[word.text.uppercased()] {
            _ = try next(what)
            return known
        }
        return try number(max: max, what)
    }

    mutating func append(_ value: Int, bytes: Int) {
        for byte in (0..<bytes).reversed() { data.append(UInt8(truncatingIfNeeded: value >> (8 * byte))) }
    }

    // MARK: Fields

    private mutating func read(_ field: RecordSchema.Field) throws(RecordError) {
        switch field {
        case .number8: append(try number(max: 255), bytes: 1)
        case .number16: append(try number(max: 65_535), bytes: 2)
        case .number32: append(try number(max: 0xffff_ffff), bytes: 4)
        case .seconds:
            let word = try bare("a time")
            guard let value = RecordHead.seconds(word.text, max: 0xffff_ffff) else {
                throw failure(
                    word, "'\(word.text.prefix(40))' is not a time from 0 to 4294967295; write seconds, or 1h30m")
            }
            append(value, bytes: 4)
        case .algorithm: append(try number(max: 255, RecordSchema.algorithms, "an algorithm"), bytes: 1)
        case .certificate: append(try number(max: 65_535, RecordSchema.certificates, "a kind"), bytes: 2)
        case .type:
            let word = try bare("a record type")
            append(Int(try type(word)), bytes: 2)
        case .timestamp: try timestamp()
        case .name: try name()
        case .names: while !words.isEmpty { try name() }
        case .string: try string()
        case .optionalString: if !words.isEmpty { try string() }
        case .strings:
            repeat { try string() } while !words.isEmpty
        case .digits(let least):
            let word = words.first ?? last
            let start = data.count
            try string()
            guard data.count - start > least, data[(start + 1)...].allSatisfy({ $0 >= 48 && $0 <= 57 }) else {
                throw failure(word, "not \(least) or more digits; correct it")
            }
        case .degrees: try string()
        case .tag: try string()
        case .text(let least):
            let word = words.first ?? last
            let text = try bytes("a text")
            guard text.count >= least else { throw failure(word, "an empty text; write it") }
            data += text
        case .address4: try address("an IPv4 address, as 192.0.2.1", AF_INET, 4)
        case .address6: try address("an IPv6 address, as 2001:db8::1", AF_INET6, 16)
        case .hex(let least):
            guard let first = words.first else { throw failure(last, "hexadecimal is missing; add it") }
            let text = try joined("hexadecimal").text
            guard let bytes = BinaryText.hex(text) else {
                throw failure(first, "bad hexadecimal; write pairs of 0-9a-f")
            }
            guard bytes.count >= least else {
                throw failure(first, "\(bytes.count) bytes of hexadecimal, and \(least) are the least; complete it")
            }
            data += bytes
        case .base64(let least):
            guard let first = words.first else { throw failure(last, "base 64 is missing; add it") }
            let text = try joined("base 64").text
            guard let bytes = BinaryText.base64(text) else { throw failure(first, "bad base 64; copy it again, whole") }
            guard bytes.count >= least else { throw failure(first, "base 64 is missing; add it") }
            data += bytes
        case .salt:
            let word = try bare("a salt")
            guard let bytes = word.text == "-" ? [] : BinaryText.hex(word.text.utf8), bytes.count <= 255 else {
                throw failure(word, "bad salt; write up to 255 bytes in hexadecimal, or -")
            }
            append(bytes.count, bytes: 1)
            data += bytes
        case .hash:
            let word = try bare("a hash")
            guard let bytes = BinaryText.base32(word.text.utf8), (1...255).contains(bytes.count) else {
                throw failure(word, "bad hash; write it in base 32 with digits 0-9a-v")
            }
            append(bytes.count, bytes: 1)
            data += bytes
        case .bitmap(let mayBeEmpty): try bitmap(mayBeEmpty: mayBeEmpty)
        case .dashedHex(let count):
            let word = try bare("\(count) bytes as xx-xx")
            let parts = word.text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
            let bytes = parts.compactMap { $0.count == 2 ? BinaryText.hex($0)?.first : nil }
            guard parts.count == count, bytes.count == count else {
                throw failure(word, "'\(word.text.prefix(40))' is not \(count) bytes as xx-xx; correct it")
            }
            data += bytes
        case .locator:
            let word = try bare("a locator")
            let parts = word.text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            guard parts.count == 4 else { throw failure(word, "not four groups of hexadecimal; write 2001:db8:0:1") }
            for part in parts {
                guard (1...4).contains(part.count),
                    let value = UInt16(String(decoding: part, as: UTF8.self), radix: 16),
                    part.allSatisfy({ BinaryText.hexDigit($0) != nil })
                else { throw failure(word, "a group is not up to four digits of hexadecimal; correct it") }
                append(Int(value), bytes: 2)
            }
        case .nsap:
            let word = try bare("an NSAP address")
            let text = word.text.utf8
            guard word.text.lowercased().hasPrefix("0x"),
                let bytes = BinaryText.hex(text.dropFirst(2).filter { $0 != UInt8(ascii: ".") }), !bytes.isEmpty
            else { throw failure(word, "no NSAP address; write 0x and hexadecimal") }
            data += bytes
        case .location: try location()
        case .prefixes: while !words.isEmpty { try prefix() }
        case .serviceParameters: try serviceParameters()
        case .wellKnownServices: try wellKnownServices()
        case .securityGateway: try securityGateway()
        case .relay: try relay()
        case .hostIdentity: try hostIdentity()
        }
    }

    func type(_ word: Word) throws(RecordError) -> UInt16 {
        guard let number = RecordSchema.number(word.text.uppercased()), number > 0 else {
            throw failure(word, "'\(word.text.prefix(40))' is not a record type; write A, or TYPE65280")
        }
        return number
    }

    mutating func name() throws(RecordError) {
        let word = try bare("a name")
        if word.text == "@" {
            data += origin
            return
        }
        do throws(LDNSError) {
            data += try LDNSName.wire(word.text, origin: origin)
        } catch {
            throw failure(word, "'\(word.text.prefix(80))' is not a domain name: \(error.message); correct it")
        }
    }

    mutating func string() throws(RecordError) {
        let word = words.first ?? last
        let bytes = try bytes("a text")
        guard bytes.count <= 255 else {
            throw failure(word, "a string of \(bytes.count) bytes, and 255 are the most; split it in several")
        }
        append(bytes.count, bytes: 1)
        data += bytes
    }

    mutating func address(_ what: String, _ family: Int32, _ count: Int) throws(RecordError) {
        let word = try bare(what)
        guard let bytes = Self.address(word.text, family, count) else {
            throw failure(word, "'\(word.text.prefix(60))' is not \(what); correct it")
        }
        data += bytes
    }

    static func address(_ text: String, _ family: Int32, _ count: Int) -> [UInt8]? {
        var bytes = Array(repeating: UInt8(0), count: count)
        return inet_pton(family, text, &bytes) == 1 ? bytes : nil
    }

    private mutating func bitmap(mayBeEmpty: Bool) throws(RecordError) {
        let first = words.first ?? last
        var types: Set<UInt16> = []
        while !words.isEmpty { types.insert(try type(bare("a record type"))) }
        if types.isEmpty, !mayBeEmpty { throw failure(first, "no record type; add those that the name has") }
        data += Self.bitmap(types.sorted())
    }

    /// Encodes types as windows, each with a bitmap of up to 32 bytes (RFC 4034 §4.1.2).
    private static func bitmap(_ types: [UInt16]) -> [UInt8] {
        var result: [UInt8] = []
        var at = 0
        while at < types.count {
            let window = types[at] >> 8
            var bits = Array(repeating: UInt8(0), count: 32)
            var length = 0
            while at < types.count, types[at] >> 8 == window {
                let low = Int(types[at] & 0xff)
                bits[low / 8] |= 0x80 >> UInt8(low % 8)
                length = low / 8 + 1
                at += 1
            }
            result += [UInt8(window), UInt8(length)] + bits[..<length]
        }
        return result
    }

    private mutating func timestamp() throws(RecordError) {
        let word = try bare("a time")
        let digits = Array(word.text.utf8)
        if digits.count != 14, let value = Self.number(digits, max: 0xffff_ffff) { return append(value, bytes: 4) }
        func field(_ range: Range<Int>) -> Int { Self.number(digits[range], max: 9_999) ?? 0 }
        guard digits.count == 14, digits.allSatisfy({ $0 >= 48 && $0 <= 57 }) else {
            throw failure(word, "'\(word.text.prefix(40))' is not a time; write YYYYMMDDHHMMSS, or seconds since 1970")
        }
        let (year, month, day) = (field(0..<4), field(4..<6), field(6..<8))
        let (hour, minute, second) = (field(8..<10), field(10..<12), field(12..<14))
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard year >= 1970, (1...12).contains(month), (1...lengths[month - 1]).contains(day), hour < 24, minute < 60,
            second <= 60
        else { throw failure(word, "'\(word.text)' is not a date and time; write YYYYMMDDHHMMSS") }
        // The number of days since 1970 is computed with years that begin in March.
        let shifted = month > 2 ? year : year - 1
        let ordinal = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let days = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + ordinal - 719_468
        append(days * 86_400 + hour * 3_600 + minute * 60 + second, bytes: 4)
    }

    /// Reads `\# LENGTH HEX` (RFC 3597 §5).
    private mutating func unknown() throws(RecordError) {
        _ = try next("\\#")
        let place = words.first ?? last
        let length = try number(max: 65_535, "a length")
        let (text, first) = try joined("hexadecimal")
        guard let bytes = BinaryText.hex(text) else { throw failure(first, "bad hexadecimal; write pairs of 0-9a-f") }
        guard bytes.count == length else {
            throw failure(place, "\\# says \(length) bytes and \(bytes.count) follow; correct the number or the data")
        }
        data = bytes
    }
}
