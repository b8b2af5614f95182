import ReflectorModel

/// Checks return routability (design §7): until an address has returned a cookie, a node sends it no data, and no more
/// bytes in all than have come from that address.
struct AddressLedger {
    private struct Entry {
        /// Hashes of the cookies and nonces that the node sent to the address; the address must return one of them.
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
            case 0x12: Self.hash(bytes, 20..<44)
            case 0x13: Self.hash(bytes, 4..<20)
            default: nil
            }
        if let proof, entry.proofs.contains(proof) { entry.isValidated = true }
        entries[from] = entry
    }

    /// Notes a datagram that the node sends. Returns the rule that it breaks, or nil.
    mutating func noteSending(_ bytes: [UInt8], to: Endpoint) -> String? {
        var entry = entries[to] ?? Entry()
        defer { entries[to] = entry }
        if entry.isValidated { return nil }
        let proof: UInt64? =
            switch bytes[0] {
            case 0x10: Self.hash(bytes, 4..<20)
            case 0x11: Self.hash(bytes, 20..<44)
            default: nil
            }
        if let proof, entry.proofs.count < Self.proofsMax { entry.proofs.append(proof) }
        switch bytes[0] {
        // The node's own handshake is a request, not a reply.
        case 0x10, 0x12: return nil
        case 0x30, 0x31: return "data to \(to), which made no handshake"
        default: break
        }
        entry.credit -= bytes.count
        return entry.credit < 0 ? "before a handshake, more bytes were sent to \(to) than came from it" : nil
    }

    private static func hash(_ bytes: [UInt8], _ range: Range<Int>) -> UInt64? {
        guard range.upperBound <= bytes.count else { return nil }
        var hash = KeyedHash(key: 1)
        bytes.withUnsafeBytes { hash.add(UnsafeRawBufferPointer(rebasing: $0[range])) }
        return hash.value
    }
}

/// The packets that a node has received: a relay can send no others.
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
