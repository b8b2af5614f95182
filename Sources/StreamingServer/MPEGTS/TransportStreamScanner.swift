/// Reads a stream as it passes, whatever its packet sizes: finds transport stream packets, keeps the newest PAT and
/// PMT, and lists each access unit of the leading elementary stream. Bytes that are no transport stream are skipped
/// without harm; nothing here ever changes the stream.
///
///     searching ──3 sync bytes, 188 apart──▶ locked ──no sync byte where one is due, or reset()──▶ searching
struct TransportStreamScanner {
    /// An access unit of the leading stream begins.
    struct AccessUnit: Equatable {
        /// Where its first packet lies in the stream.
        var offset: UInt64
        /// 33 bits of 90 kHz.
        var timestamp: UInt64
        var randomAccess: Bool
    }

    /// PAT and PMT as they last passed.
    struct Tables {
        /// Their transport packets, PAT first.
        var packets: [UInt8]
        /// Where that PAT lies in the stream.
        var offset: UInt64
    }

    /// Sync bytes in a row that prove a transport stream.
    private static let proofCount = 3
    private static let proofLength = (proofCount - 1) * TransportPacket.length + 1

    private(set) var isLocked = false
    /// Access units that began in the bytes last scanned, in order.
    private(set) var units: [AccessUnit] = []
    /// The newest pair of tables; nil until both have passed.
    private(set) var tables: Tables?
    /// What the newest PMT says.
    private(set) var programMap: ProgramMap?

    /// Bytes not yet consumed: part of a packet, or what is searched. At most `proofLength` plus one payload.
    private var carry: [UInt8] = []
    private var carryOffset: UInt64 = 0
    private var associationAssembler = SectionAssembler()
    private var mapAssembler = SectionAssembler()
    private var programMapPID: UInt16?
    private var association: SectionAssembler.Section?

    /// Reads the next bytes of the stream, which lie at `offset`, and fills `units`.
    mutating func scan(_ bytes: Span<UInt8>, at offset: UInt64) {
        units.removeAll(keepingCapacity: true)
        if carry.isEmpty {
            // The usual case: whole packets in every payload, read in place.
            var index = 0
            if isLocked || Self.beginsWithProof(bytes) {
                isLocked = true
                while bytes.count - index >= TransportPacket.length, bytes[index] == TransportPacket.syncByte {
                    receive(bytes.extracting(index..<index + TransportPacket.length), at: offset &+ UInt64(index))
                    index += TransportPacket.length
                }
                if index == bytes.count { return }
                isLocked = bytes[index] == TransportPacket.syncByte
            }
            carryOffset = offset &+ UInt64(index)
            for rest in index..<bytes.count { carry.append(bytes[rest]) }
        } else {
            for index in 0..<bytes.count { carry.append(bytes[index]) }
        }
        scanCarry()
    }

    /// The bytes that follow do not continue those before.
    mutating func reset() {
        isLocked = false
        carry.removeAll(keepingCapacity: true)
        associationAssembler = SectionAssembler()
        mapAssembler = SectionAssembler()
    }

    private mutating func scanCarry() {
        let held = carry
        let bytes = held.span
        var index = 0
        while true {
            if isLocked {
                guard bytes.count - index >= TransportPacket.length else { break }
                if bytes[index] == TransportPacket.syncByte {
                    let packet = bytes.extracting(index..<index + TransportPacket.length)
                    receive(packet, at: carryOffset &+ UInt64(index))
                    index += TransportPacket.length
                } else {
                    isLocked = false
                }
            } else {
                guard bytes.count - index >= Self.proofLength else { break }
                if Self.beginsWithProof(bytes.extracting(index..<bytes.count)) { isLocked = true } else { index += 1 }
            }
        }
        carry.removeFirst(index)
        carryOffset &+= UInt64(index)
    }

    private static func beginsWithProof(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.count >= proofLength else { return false }
        for index in 0..<proofCount where bytes[index * TransportPacket.length] != TransportPacket.syncByte {
            return false
        }
        return true
    }

    private mutating func receive(_ bytes: Span<UInt8>, at offset: UInt64) {
        guard let header = TransportPacket(bytes) else { return }
        if header.pid == 0 {
            guard let section = associationAssembler.receive(header, bytes, at: offset),
                let table = ProgramAssociation(section: section.bytes)
            else { return }
            if table.programMapPID != programMapPID { mapAssembler = SectionAssembler() }
            programMapPID = table.programMapPID
            association = section
        } else if header.pid == programMapPID {
            guard let section = mapAssembler.receive(header, bytes, at: offset),
                let map = ProgramMap(section: section.bytes), let association
            else { return }
            programMap = map
            tables = Tables(packets: association.packets + section.packets, offset: association.offset)
        } else if let leading = programMap?.leading, header.pid == leading.pid, header.payloadUnitStart {
            guard let start = AccessUnitStart(header, bytes) else { return }
            let randomAccess = header.randomAccess || start.showsRandomAccess(leading.codec, bytes)
            units.append(AccessUnit(offset: offset, timestamp: start.timestamp, randomAccess: randomAccess))
        }
    }
}
