import ZoneCompiler

/// One message of a transfer (RFC 5936 §2.2): the question, then as many records as fit. Owners are compressed against
/// the previous owner, which shares most of their labels, and CNAME targets against the zone's name.
struct TransferMessage {
    /// Size to which a message is filled: compression pointers cannot reach further (RFC 5936 §3.4).
    static let lengthWanted = 16_384
    static let lengthMax = 65_535

    private static let typeCNAME: UInt16 = 5
    private static let questionAt = 12
    /// Above every offset that a pointer can encode.
    private static let unreachable = 0x4000

    private(set) var bytes: [UInt8]
    private(set) var records: UInt16 = 0
    private let zone: [UInt8]
    /// The question's name equals the zone's name byte by byte, so pointers may refer to it: the case of letters must
    /// not change.
    private let isQuestionPlain: Bool
    /// The previous record's owner, and for each of its bytes the message offset of the name that begins there.
    private var owner: [UInt8]
    private var offsets: [Int]

    /// - Parameters:
    ///   - request: the request whose question is repeated.
    init(id: UInt16, request: TransferRequest) {
        zone = request.name
        bytes = []
        bytes.reserveCapacity(Self.lengthWanted + 512)
        bytes.append(word: id)
        // A response with AA set, no error, RD as in the request.
        bytes.append(word: 0x8400 | request.flags & 0x0100)
        bytes += [0, 1, 0, 0, 0, 0, 0, 0]
        bytes += request.question
        isQuestionPlain = request.question.starts(with: request.name)
        owner = zone
        offsets = isQuestionPlain ? zone.indices.map { Self.questionAt + $0 } : zone.map { _ in Self.unreachable }
    }

    /// Appends a record. False if it does not fit. A message without records accepts one beyond `lengthWanted`, up to
    /// `lengthMax`.
    /// - Parameter reserved: bytes to keep free for a signature.
    mutating func append(_ record: ZoneRecord, reserved: Int) -> Bool {
        let longest = bytes.count + record.owner.count + 10 + record.data.count + reserved
        guard longest <= Self.lengthWanted || (records == 0 && longest <= Self.lengthMax) else { return false }
        append(owner: record.owner)
        bytes.append(word: record.type)
        bytes.append(word: 1)
        bytes.append(word: UInt16(record.ttl >> 16))
        bytes.append(word: UInt16(truncatingIfNeeded: record.ttl))
        if isQuestionPlain, record.type == Self.typeCNAME, let kept = lengthBelowZone(record.data) {
            bytes.append(word: UInt16(kept + 2))
            bytes += record.data[..<kept]
            bytes.append(word: 0xc000 | UInt16(Self.questionAt))
        } else {
            bytes.append(word: UInt16(record.data.count))
            bytes += record.data
        }
        records += 1
        bytes.set(word: records, at: 6)
        return true
    }

    /// Adds an empty OPT record (RFC 6891) with the largest UDP size that we accept.
    mutating func appendOPT(udpSize: UInt16) {
        bytes += [0, 0, 41, UInt8(udpSize >> 8), UInt8(udpSize & 255), 0, 0, 0, 0, 0, 0]
        bytes.set(word: 1, at: 10)
    }

    /// Number of bytes of a name before the zone's name; nil for a name that is not below the zone.
    private func lengthBelowZone(_ name: [UInt8]) -> Int? {
        var at = 0
        while name.count - at > zone.count { at += 1 + Int(name[at]) }
        return at > 0 && name.count - at == zone.count && name[at...] == zone[...] ? at : nil
    }

    private mutating func append(owner next: [UInt8]) {
        var places = Array(repeating: Self.unreachable, count: next.count)
        var at = 0
        while at < next.count - 1 {
            let before = owner.count - (next.count - at)
            if before >= 0, offsets[before] < Self.unreachable, owner[before...] == next[at...] {
                bytes.append(word: 0xc000 | UInt16(offsets[before]))
                for position in at..<next.count { places[position] = offsets[before + position - at] }
                break
            }
            places[at] = bytes.count < Self.unreachable ? bytes.count : Self.unreachable
            let end = min(at + 1 + Int(next[at]), next.count - 1)
            bytes += next[at..<end]
            at = end
        }
        if at == next.count - 1 { bytes.append(0) }
        owner = next
        offsets = places
    }
}
