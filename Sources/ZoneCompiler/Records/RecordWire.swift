/// Splits RDATA in wire form into the fields of its type, and reports errors. All data read from a master file is
/// checked here; this matters most for data of known types that is written with `\#`.
struct RecordWire {
    /// A field and its bytes.
    typealias Part = (field: RecordSchema.Field, bytes: ArraySlice<UInt8>)

    /// The problem, and its remedy.
    struct Invalid: Error {
        var message: String
    }

    private let data: [UInt8]
    private var at = 0

    private init(_ data: [UInt8]) { self.data = data }

    /// The first error in the data, as a message. Nil if the data is valid, or if the type is known by number only.
    static func problem(type: UInt16, _ data: [UInt8]) -> String? {
        do throws(Invalid) {
            _ = try parts(type: type, data)
            return nil
        } catch {
            return error.message
        }
    }

    /// Maximum length of RDATA. With question, owner, OPT and TSIG records of any length, such a record still fits into
    /// a message of 65,535 bytes, so that it can be answered and transferred.
    static let lengthMax = 64_000

    /// The fields of RDATA. Nil for a type that is known by number only.
    static func parts(type: UInt16, _ data: [UInt8]) throws(Invalid) -> [Part]? {
        guard data.count <= Self.lengthMax else {
            throw Invalid(
                message: "RDATA of \(data.count) bytes; beside names and signature, a DNS message has room for "
                    + "\(Self.lengthMax); shorten it")
        }
        guard let schema = RecordSchema.of(type) else { return nil }
        var wire = RecordWire(data)
        var parts: [Part] = []
        parts.reserveCapacity(schema.fields.count)
        for field in schema.fields {
            let start = wire.at
            try wire.skip(field)
            parts.append((field, data[start..<wire.at]))
        }
        guard wire.at == data.count else {
            throw Invalid(message: "\(data.count - wire.at) bytes behind the data of its type; remove them")
        }
        try wire.checkTogether(type)
        return parts
    }

    // MARK: Bytes

    private var left: Int { data.count - at }

    private mutating func take(_ count: Int, _ what: String) throws(Invalid) {
        guard left >= count else { throw Invalid(message: "the data ends within \(what); complete it") }
        at += count
    }

    private mutating func byte(_ what: String) throws(Invalid) -> Int {
        try take(1, what)
        return Int(data[at - 1])
    }

    private mutating func word(_ what: String) throws(Invalid) -> Int {
        try take(2, what)
        return Int(data[at - 2]) << 8 | Int(data[at - 1])
    }

    // MARK: Fields

    private mutating func skip(_ field: RecordSchema.Field) throws(Invalid) {
        switch field {
        case .number8, .algorithm: try take(1, "a number")
        case .number16, .certificate, .type: try take(2, "a number")
        case .number32, .seconds, .timestamp: try take(4, "a number")
        case .name: try name()
        case .names: while left > 0 { try name() }
        case .string: try string()
        case .optionalString: if left > 0 { try string() }
        case .strings:
            repeat { try string() } while left > 0
        case .digits(let least):
            let start = at
            try string()
            guard at - start > least, data[(start + 1)..<at].allSatisfy({ $0 >= 48 && $0 <= 57 }) else {
                throw Invalid(message: "not \(least) or more digits; correct it")
            }
        case .degrees(let most):
            let start = at
            try string()
            guard let value = Self.degrees(data[(start + 1)..<at]), abs(value) <= most else {
                throw Invalid(message: "not a number of degrees, or metres, in range; correct it")
            }
        case .tag:
            let start = at
            try string()
            let isWord = data[(start + 1)..<at].allSatisfy { byte in
                (byte >= 48 && byte <= 57) || (byte | 0x20 >= 97 && byte | 0x20 <= 122)
            }
            guard at - start > 1, isWord else {
                throw Invalid(message: "a tag has letters and digits only (RFC 8659 §4.1); write issue, say")
            }
        case .text(let least), .hex(let least), .base64(let least):
            guard left >= least else {
                throw Invalid(message: "\(left) bytes where \(max(least, 1)) are the least; complete the data")
            }
            at = data.count
        case .address4: try take(4, "an address")
        case .address6: try take(16, "an address")
        case .salt: try take(byte("a salt"), "a salt")
        case .hash:
            let count = try byte("a hash")
            guard count > 0 else { throw Invalid(message: "an empty hash; write it") }
            try take(count, "a hash")
        case .bitmap(let mayBeEmpty): try bitmap(mayBeEmpty: mayBeEmpty)
        case .dashedHex(let count): try take(count, "an address")
        case .locator: try take(8, "a locator")
        case .nsap:
            guard left > 0 else { throw Invalid(message: "an empty address; write it") }
            at = data.count
        case .location: try location()
        case .prefixes: while left > 0 { try prefix() }
        case .serviceParameters: try serviceParameters()
        case .wellKnownServices:
            try take(5, "an address and a protocol")
            guard left <= 8_192 else { throw Invalid(message: "a map of more than 65536 services; shorten it") }
            at = data.count
        case .securityGateway:
            try take(1, "a precedence")
            let kind = try byte("a type of gateway")
            try take(1, "an algorithm")
            try gateway(kind)
            at = data.count
        case .relay:
            try take(1, "a precedence")
            try gateway(try byte("a type of relay") & 0x7f)
        case .hostIdentity:
            let tag = try byte("a length")
            try take(1, "an algorithm")
            let key = try word("a length")
            guard tag > 0, key > 0 else { throw Invalid(message: "a tag or key without bytes; write it") }
            try take(tag, "a host identity tag")
            try take(key, "a key")
            while left > 0 { try name() }
        }
    }

    private mutating func name() throws(Invalid) {
        let start = at
        while true {
            let count = try byte("a name")
            guard count < 64 else { throw Invalid(message: "a name that is compressed or broken; write it in full") }
            guard at + count - start <= 254 || (count == 0 && at - start <= 255) else {
                throw Invalid(message: "a name over 255 bytes; shorten it")
            }
            if count == 0 { return }
            try take(count, "a name")
        }
    }

    private mutating func string() throws(Invalid) { try take(byte("a string"), "a string") }

    private static func degrees(_ bytes: ArraySlice<UInt8>) -> Double? {
        guard !bytes.isEmpty, bytes.allSatisfy({ ($0 >= 48 && $0 <= 57) || $0 == 43 || $0 == 45 || $0 == 46 }),
            bytes.contains(where: { $0 >= 48 && $0 <= 57 })
        else { return nil }
        return Double(String(decoding: bytes, as: UTF8.self))
    }

    private mutating func bitmap(mayBeEmpty: Bool) throws(Invalid) {
        var last = -1
        guard mayBeEmpty || left > 0 else { throw Invalid(message: "no record types; add those that the name has") }
        while left > 0 {
            let window = try byte("a map of types")
            let length = try byte("a map of types")
            guard window > last, (1...32).contains(length) else {
                throw Invalid(message: "a broken map of types (RFC 4034 §4.1.2); write the types by name")
            }
            last = window
            try take(length, "a map of types")
            guard data[at - 1] != 0 else {
                throw Invalid(
                    message: "a map of types with zeros at its end (RFC 4034 §4.1.2); write the types by name")
            }
        }
    }

    private mutating func location() throws(Invalid) {
        let start = at
        try take(16, "a location")
        func angle(_ offset: Int) -> Int {
            abs(data[(start + offset)..<(start + offset + 4)].reduce(0) { $0 << 8 | Int($1) } - 0x8000_0000)
        }
        guard data[start] == 0 else { throw Invalid(message: "a LOC record of unknown version; write version 0") }
        guard data[(start + 1)...(start + 3)].allSatisfy({ $0 >> 4 <= 9 && $0 & 15 <= 9 && ($0 >> 4 > 0 || $0 == 0) })
        else { throw Invalid(message: "a broken size or precision (RFC 1876 §2); correct it") }
        guard angle(4) <= 324_000_000, angle(8) <= 648_000_000 else {
            throw Invalid(message: "a latitude over 90 or a longitude over 180 degrees; correct it")
        }
    }

    private mutating func prefix() throws(Invalid) {
        let family = try word("a prefix")
        let length = try byte("a prefix")
        let count = try byte("a prefix") & 0x7f
        let most: Int? = family == 1 ? 32 : family == 2 ? 128 : nil
        guard let most, length <= most, count * 8 <= most else {
            throw Invalid(message: "a prefix longer than its family's addresses (RFC 3123 §4); correct it")
        }
        try take(count, "a prefix")
        guard count == 0 || data[at - 1] != 0 else {
            throw Invalid(message: "a prefix with zeros at its end (RFC 3123 §4); leave them out")
        }
    }

    private mutating func gateway(_ kind: Int) throws(Invalid) {
        switch kind {
        case 0: return
        case 1: try take(4, "an address")
        case 2: try take(16, "an address")
        case 3: try name()
        default: throw Invalid(message: "a gateway of unknown type \(kind); write 0 to 3")
        }
    }

    /// Checks the parameters of one record, without regard to other records (RFC 9460 §2.2, §7, §8).
    private mutating func serviceParameters() throws(Invalid) {
        var keys: [Int] = []
        var mandatory: [Int] = []
        while left > 0 {
            let key = try word("a parameter")
            guard key > keys.last ?? -1 else {
                throw Invalid(
                    message: "parameters that are repeated or not ascending (RFC 9460 §2.2); keep one of each")
            }
            keys.append(key)
            let count = try word("a parameter")
            try take(count, "a parameter")
            let value = data[(at - count)..<at]
            let isRight: Bool
            switch UInt16(key) {
            case ServiceKey.mandatory:
                let bytes = Array(value)
                mandatory = stride(from: 0, to: bytes.count - 1, by: 2).map { Int(bytes[$0]) << 8 | Int(bytes[$0 + 1]) }
                isRight = count > 0 && count % 2 == 0 && zip(mandatory, mandatory.dropFirst()).allSatisfy { $0 < $1 }
            case ServiceKey.alpn: isRight = Self.isListOfStrings(value)
            case ServiceKey.noDefaultALPN, ServiceKey.ohttp: isRight = count == 0
            case ServiceKey.port: isRight = count == 2
            case ServiceKey.ipv4hint: isRight = count > 0 && count % 4 == 0
            case ServiceKey.ipv6hint: isRight = count > 0 && count % 16 == 0
            case ServiceKey.ech: isRight = count > 0
            case ServiceKey.invalid: isRight = false
            default: isRight = true
            }
            guard isRight else {
                throw Invalid(
                    message: "parameter '\(ServiceKey.name(UInt16(key)))' has no right value (RFC 9460); correct it")
            }
        }
        for key in mandatory where key == 0 || !keys.contains(key) {
            throw Invalid(
                message: "'mandatory' names \(ServiceKey.name(UInt16(key))), which "
                    + (key == 0 ? "can't stand there" : "the record lacks")
                    + " (RFC 9460 §8); add it or remove the name")
        }
        if keys.contains(Int(ServiceKey.noDefaultALPN)), !keys.contains(Int(ServiceKey.alpn)) {
            throw Invalid(message: "'no-default-alpn' without 'alpn' (RFC 9460 §7.1.1); add alpn=h2, say")
        }
    }

    private static func isListOfStrings(_ value: ArraySlice<UInt8>) -> Bool {
        var rest = value
        while let count = rest.popFirst() {
            guard count > 0, rest.count >= Int(count) else { return false }
            rest = rest.dropFirst(Int(count))
        }
        return !value.isEmpty
    }

    // MARK: Fields together

    /// Checks fields that depend on each other: the digest type determines the digest's length.
    private func checkTogether(_ type: UInt16) throws(Invalid) {
        let kind: (at: Int, from: Int)
        switch type {
        case 43, 59, 32_768, 32_769: kind = (3, 4)
        case 44: kind = (1, 2)
        case 63: kind = (5, 6)
        default: return
        }
        guard let length = RecordSchema.digestLength(record: type, digest: data[kind.at]),
            length != data.count - kind.from
        else { return }
        throw Invalid(
            message: "a digest of \(data.count - kind.from) bytes, and its kind \(data[kind.at]) has \(length); "
                + "copy it again, whole")
    }
}
