import ReflectorModel

/// Queries of every kind that a client may send, with errors from transmission, attacks and mistakes. The same seed
/// gives the same sequence.
struct QueryMutator {
    private static let names = [
        "n1.r1283.s4096", "n3.R2000.S7", "n1.r2000.s50", "n2.r1283", "sets.s5", "s5", "r1283.s4096",
        "news.live.streams",
        "a.b.live.streams", "ep-a.sets", "first", "gone", "ring", "away", "www", "x.wild", "taken.wild", "x.y.sub",
        "sub",
        "a.deep", "deep", "nothing", "n1.r1283.s4096.explain", "sets.s5.explain", "x.live.streams.explain", "_status",
        "n1.r01283.s4096", "n1.r4294967295.s65535", "",
    ]
    private static let types: [UInt16] = [1, 28, 33, 16, 255, 6, 2, 5, 43, 41, 250, 251, 252, 0, 65_535]
    private static let likely: [UInt8] = [0, 1, 2, 3, 8, 10, 12, 15, 16, 24, 40, 41, 63, 64, 127, 128, 192, 250, 255]

    private var random: SeededGenerator
    /// A cookie that the server sent, for later queries.
    var cookie: [UInt8] = []

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func number(below bound: Int) -> Int { Int(random.next() % UInt64(max(bound, 1))) }

    /// One message: a fifth of them are unmodified valid queries.
    mutating func next() -> [UInt8] {
        var message = query()
        if number(below: 5) == 0 { return message }
        for _ in 0...number(below: 4) { mutate(&message) }
        return message
    }

    // MARK: Good queries

    private mutating func pick<Element>(_ list: [Element]) -> Element { list[number(below: list.count)] }

    private mutating func query() -> [UInt8] {
        let name = pick(Self.names)
        let host: String
        switch number(below: 40) {
        case 0: return chaos()
        case 1: host = name + (name.isEmpty ? "" : ".") + "example.org"
        default: host = name + (name.isEmpty ? "" : ".") + "example.net"
        }
        let type = number(below: 4) == 0 ? pick(Self.types) : pick([1, 33, 16, 28])
        let recordClass: UInt16 = number(below: 30) == 0 ? pick([255, 254, 4, 3, 0]) : 1
        let hasEDNS = number(below: 4) != 0
        var message = Exchange.query(
            host, type, recordClass: recordClass, edns: hasEDNS ? pick([512, 1_232, 4_096, 0, 65_535]) : nil,
            options: hasEDNS ? options() : [])
        message[0] = UInt8(truncatingIfNeeded: random.next())
        message[1] = UInt8(truncatingIfNeeded: random.next())
        if number(below: 3) == 0 { message[2] = 1 }
        if number(below: 20) == 0 { message[3] = UInt8(truncatingIfNeeded: random.next()) }
        return message
    }

    private mutating func chaos() -> [UInt8] {
        Exchange.query(
            pick(["version.bind", "id.server", "hostname.bind", "x.bind"]), pick([16, 255, 1]), recordClass: 3)
    }

    private mutating func options() -> [UInt8] {
        var result: [UInt8] = []
        for _ in 0..<number(below: 4) {
            switch number(below: 8) {
            case 0: result += [0, 3, 0, 0]
            case 1: result += [0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2]
            case 2: result += [0, 8, 0, 11, 0, 2, 56, 0, 32, 1, 13, 184, 0, 0, 1]
            case 3: result += [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]
            case 4 where !cookie.isEmpty: result += [0, 10, 0, UInt8(cookie.count)] + cookie
            case 5: result += [0, 10, 0, 24] + (0..<24).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            case 6: result += [0, 12, 0, 5, 0, 0, 0, 0, 0]
            default: result += [253, 233, 0, 2, 7, 7]
            }
        }
        return result
    }

    // MARK: Mutations

    private mutating func mutate(_ message: inout [UInt8]) {
        guard !message.isEmpty else { return }
        let at = number(below: message.count)
        let end = min(message.count, at + 1 + number(below: 12))
        switch number(below: 10) {
        case 0: message[at] = UInt8(truncatingIfNeeded: random.next())
        case 1: message[at] = pick(Self.likely)
        case 2: message[at] ^= 1 << UInt8(number(below: 8))
        case 3: message.removeSubrange(at..<end)
        case 4: message.insert(contentsOf: message[at..<end], at: number(below: message.count + 1))
        case 5: message.removeSubrange(at...)
        case 6: message.insert(pick(Self.likely), at: at)
        case 7:
            // A count in the header.
            let count = 4 + number(below: 8)
            if count < message.count { message[count] = pick([0, 0, 1, 2, 255]) }
        case 8:
            // The rest of another query after the beginning of this one.
            let other = query()
            message = Array(message[..<at]) + other[min(at, other.count)...]
        default:
            message.insert(contentsOf: [0xc0, UInt8(truncatingIfNeeded: number(below: message.count))], at: at)
        }
    }
}
