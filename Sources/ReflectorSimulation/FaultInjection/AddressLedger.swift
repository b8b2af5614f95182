import ReflectorModel

/// Return routability, seen from the network: what a node may send to whom. Before a cookie that it sent to an address
/// has come back from there, a node sends it no data, and in reply never more bytes than it got (design §7).
struct AddressLedger {
    private struct Entry {
        /// Hashes of what was sent there and must come back: cookies, and the nonces of our own handshakes.
        var proofs: [UInt64] = []
        var isValidated = false
        var credit = 0
    }

    private var entries: [Endpoint: Entry] = [:]
    private static let proofsMax = 64

    mutating func reset() { entries = [:] }

    mutating func noteArrival(_ bytes: [UInt8], from: Endpoint) {
        var entry = entries[from] ?? Entry()
        entry.credit += bytes.count
        let proof: UInt64? =
            switch bytes[0] {
            case 0x12: Self.hash(bytes, 28..<52)
            case 0x13: Self.hash(bytes, 12..<28)
            default: nil
            }
        if let proof, entry.proofs.contains(proof) { entry.isValidated = true }
        entries[from] = entry
    }

    /// What is wrong with sending this; nil if nothing is.
    mutating func noteSending(_ bytes: [UInt8], to: Endpoint) -> String? {
        var entry = entries[to] ?? Entry()
        defer { entries[to] = entry }
        if entry.isValidated { return nil }
        let proof: UInt64? =
            switch bytes[0] {
            case 0x10: Self.hash(bytes, 12..<28)
            case 0x11: Self.hash(bytes, 20..<44)
            default: nil
            }
        if let proof, entry.proofs.count < Self.proofsMax { entry.proofs.append(proof) }
        switch bytes[0] {
        // Our own handshake, which asks and does not answer.
        case 0x10, 0x12: return nil
        case 0x30, 0x31: return "data to \(to), which made no handshake"
        default: break
        }
        entry.credit -= bytes.count
        return entry.credit < 0 ? "more bytes to \(to) than came from it before a handshake" : nil
    }

    private static func hash(_ bytes: [UInt8], _ range: Range<Int>) -> UInt64? {
        guard range.upperBound <= bytes.count else { return nil }
        var hash = KeyedHash(key: 1)
        bytes.withUnsafeBytes { hash.add(UnsafeRawBufferPointer(rebasing: $0[range])) }
        return hash.value
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
