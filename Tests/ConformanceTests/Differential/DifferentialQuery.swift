import ReflectorModel

/// One query of the differential test: its bytes and their intended meaning.
struct DifferentialQuery {
    /// What is unusual about the query, if anything: the category in which it is counted.
    enum Kind: String, CaseIterable {
        case plain, types, classes, operations, flags, options, versions, malformed
    }

    var bytes: [UInt8]
    var kind: Kind
    /// Lower case, without the final dot.
    var name: String
    var type: UInt16
    var recordClass: UInt16

    var description: String {
        let hex = bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        return "\(kind) \(name.isEmpty ? "." : name) type \(type) class \(recordClass) \(hex)"
    }
}

/// Makes queries of every kind. The same seed gives the same queries.
struct QueryMaker {
    private var random: SeededGenerator

    private static let usualTypes: [UInt16] = [1, 1, 1, 28, 28, 33, 33, 16, 16, 5, 2, 6, 15, 43, 255]
    private static let oddTypes: [UInt16] = [
        0, 3, 10, 12, 13, 35, 39, 41, 46, 47, 48, 50, 51, 64, 65, 99, 128, 249, 250, 251, 252, 253, 254, 255, 257,
        32_769, 65_280, 65_535,
    ]

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func next() -> DifferentialQuery {
        let kind: DifferentialQuery.Kind =
            chance(45) ? .plain : DifferentialQuery.Kind.allCases[below(DifferentialQuery.Kind.allCases.count)]
        var query = DifferentialQuery(bytes: [], kind: kind, name: name(), type: usualType(), recordClass: 1)
        var header = Header()
        header.flags = chance(30) ? 0x0100 : 0
        var tail: [[UInt8]] = []
        switch kind {
        case .plain, .malformed:
            if chance(50) { tail = [opt()] }
        case .types:
            query.type = chance(70) ? pick(Self.oddTypes) : UInt16(truncatingIfNeeded: random.next())
            if chance(50) { tail = [opt()] }
        case .classes:
            query.recordClass =
                chance(70) ? pick([0, 2, 3, 3, 3, 4, 254, 255]) : UInt16(truncatingIfNeeded: random.next())
            if query.recordClass == 3, chance(80) {
                query.name = pick(Array(DifferentialZones.elsewhere.suffix(6)))
                query.type = pick([16, 16, 16, 1, 255])
            }
        case .operations: header.flags |= UInt16(1 + below(15)) << 11
        case .flags: header.flags |= UInt16(truncatingIfNeeded: random.next()) & (chance(10) ? 0x87f0 : 0x07f0)
        case .options: tail = [opt(options: options())]
        case .versions:
            tail = [opt(version: pick([0, 0, 1, 2, 255]), flags: UInt16(truncatingIfNeeded: random.next()))]
        }
        header.additionals = UInt16(tail.count)
        query.bytes = header.bytes + question(query) + tail.flatMap { $0 }
        if kind == .malformed { damage(&query, tail) }
        return query
    }

    // MARK: Questions

    private mutating func name() -> String {
        let relative: String
        switch below(16) {
        case 0..<6: relative = pick(DifferentialZones.interesting)
        case 6: return pick(DifferentialZones.elsewhere)
        case 7: relative = "sets.s\(below(1_100))"
        case 8: relative = "r\(8 + below(36)).s\(below(400))"
        case 9: relative = word() + "." + pick(Array(DifferentialZones.interesting.dropFirst()))
        case 10: relative = word()
        default: relative = "n\(1 + below(3)).r\(9 + below(22)).s\(below(350))"
        }
        return (relative.isEmpty ? "" : relative + ".").lowercased() + "example.net"
    }

    private mutating func word() -> String {
        let characters = Array("abcdefghijklmnopqrstuvwxyz0123456789-_*nrs")
        return String((0..<1 + below(chance(5) ? 63 : 8)).map { _ in characters[below(characters.count)] })
    }

    private mutating func usualType() -> UInt16 { pick(Self.usualTypes) }

    /// The question in wire form; half of the time its letters are in random case.
    private mutating func question(_ query: DifferentialQuery) -> [UInt8] {
        var bytes: [UInt8] = []
        let mixes = chance(50)
        for label in query.name.split(separator: ".") {
            bytes.append(UInt8(truncatingIfNeeded: label.utf8.count))
            bytes += label.utf8.map { mixes && (97...122).contains($0) && chance(50) ? $0 & 0xdf : $0 }
        }
        return bytes + [0] + Self.word(query.type) + Self.word(query.recordClass)
    }

    // MARK: EDNS

    private mutating func opt(version: UInt8 = 0, flags: UInt16? = nil, options: [UInt8] = []) -> [UInt8] {
        let size: UInt16 = pick([0, 511, 512, 513, 600, 1_231, 1_232, 1_232, 1_232, 1_233, 1_400, 4_096, 65_535])
        let bits: UInt16 = flags ?? (chance(40) ? 0x8000 : 0)
        return [0, 0, 41] + Self.word(size) + [0, version] + Self.word(bits) + Self.word(UInt16(options.count))
            + options
    }

    private mutating func options() -> [UInt8] {
        var result: [UInt8] = []
        var codes: Set<UInt16> = []
        for _ in 0..<1 + below(3) {
            let data: [UInt8]
            let code: UInt16 = pick([3, 3, 8, 9, 10, 10, 11, 12, 15, 26_946, 65_001, 65_535])
            // NSD's reply to a query with two NSID options cannot be parsed.
            guard codes.insert(code).inserted else { continue }
            switch code {
            case 3: data = chance(90) ? [] : [1]
            case 8:
                data =
                    chance(50) ? [0, 1, 24, 0, 192, 0, 2] : chance(50) ? [0, 2, 32, 0, 32, 1, 13, 184] : [0, 1, 0, 0]
            case 10:
                data = (0..<pick([8, 8, 8, 8, 24, 24, 16, 40, 7, 9, 15, 41, 0])).map { _ in
                    UInt8(truncatingIfNeeded: random.next())
                }
            case 11: data = []
            default: data = (0..<below(20)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            }
            result += Self.word(code) + Self.word(UInt16(data.count)) + data
        }
        return result
    }

    // MARK: Damage

    private mutating func damage(_ query: inout DifferentialQuery, _ tail: [[UInt8]]) {
        switch below(9) {
        case 0: query.bytes.removeLast(min(1 + below(query.bytes.count - 1), query.bytes.count - 1))
        case 1: query.bytes += (0..<1 + below(12)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        case 2: query.bytes[pick([5, 7, 9, 11])] = UInt8(truncatingIfNeeded: below(4))
        case 3:
            // A pointer, or a label type that does not exist.
            query.bytes[12] = pick([0xc0, 0x40, 0x80, 0xff])
        case 4:
            // A name that is too long.
            let labels = (0..<5).flatMap { _ in [63] + [UInt8](repeating: 97, count: 63) }
            query.bytes = Array(query.bytes.prefix(12)) + labels + query.bytes.dropFirst(12)
        case 5: add(opt(), &query)
        case 6: add([1, 97] + opt(), &query)
        case 7: add([0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4], &query)
        default:
            query.bytes[2 + below(query.bytes.count - 2)] ^= 1 << UInt8(below(8))
        }
    }

    private mutating func add(_ record: [UInt8], _ query: inout DifferentialQuery) {
        query.bytes += record
        query.bytes[11] += 1
    }

    // MARK: Chance

    private mutating func below(_ bound: Int) -> Int { Int(random.next() % UInt64(max(bound, 1))) }
    private mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
    private mutating func pick<Element>(_ list: [Element]) -> Element { list[below(list.count)] }

    private static func word(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }

    private struct Header {
        var flags: UInt16 = 0
        var additionals: UInt16 = 0
        var bytes: [UInt8] { [0, 0] + word(flags) + [0, 1, 0, 0, 0, 0] + word(additionals) }
    }
}
