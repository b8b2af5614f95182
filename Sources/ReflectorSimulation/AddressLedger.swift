import ReflectorModel
import RelayWire

/// Return routability, seen from the network: what a node may send to whom. Before an address has answered a cookie, a
/// node sends it no data, and in reply never more bytes than it got (design §7).
struct AddressLedger {
    private struct Entry {
        var hasCookie = false
        var isValidated = false
        var credit = 0
    }

    private var entries: [Endpoint: Entry] = [:]

    mutating func reset() { entries = [:] }

    /// A datagram that arrived, and whether it truly came from the address that it claims.
    mutating func noteArrival(_ first: UInt8, length: Int, from: Endpoint, isGenuine: Bool) {
        var entry = entries[from] ?? Entry()
        entry.credit += length
        switch first {
        // Open with our cookie, or the answer to our own Open.
        case 0x12 where isGenuine && entry.hasCookie: entry.isValidated = true
        case 0x13 where isGenuine: entry.isValidated = true
        default: break
        }
        entries[from] = entry
    }

    /// What is wrong with sending this; nil if nothing is.
    mutating func noteSending(_ first: UInt8, length: Int, to: Endpoint) -> String? {
        var entry = entries[to] ?? Entry()
        defer { entries[to] = entry }
        if entry.isValidated { return nil }
        switch first {
        case 0x10, 0x12: return nil
        case 0x11: entry.hasCookie = true
        case 0x30, 0x31: return "data to \(to), which made no handshake"
        default: break
        }
        entry.credit -= length
        return entry.credit < 0 ? "more bytes to \(to) than came from it before a handshake" : nil
    }
}

/// Which packets a node has had: a relay can send nothing else.
struct PossessionTable {
    private var tags: [UInt64] = []
    private var bits: [[UInt64]] = []
    private static let sequenceMax: UInt64 = 1 << 20

    mutating func reset() {
        tags = []
        bits = []
    }

    mutating func note(_ tag: UInt64, _ sequence: UInt64) {
        guard sequence < Self.sequenceMax else { return }
        var index = tags.lastIndex(of: tag)
        if index == nil, tags.count < 256 {
            tags.append(tag)
            bits.append([])
            index = tags.count - 1
        }
        guard let index else { return }
        let word = Int(sequence / 64)
        while bits[index].count <= word { bits[index].append(0) }
        bits[index][word] |= 1 << (sequence % 64)
    }

    func has(_ tag: UInt64, _ sequence: UInt64) -> Bool {
        guard let index = tags.lastIndex(of: tag), Int(sequence / 64) < bits[index].count else { return false }
        return bits[index][Int(sequence / 64)] & (1 << (sequence % 64)) != 0
    }
}
