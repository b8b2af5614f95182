/// Finds the program that viewers of HLS are given: of those that the PAT names, the first whose PMT comes and names
/// something that can be played. Keeps that program's newest tables.
///
/// A PAT may name programs that never come, several PMTs may share a PID, and one packet may hold several sections: what
/// is asked for is a PMT with the number of a program, on the PID that the PAT gives for it.
struct ProgramFinder {
    /// What a packet of tables brought about.
    enum Change: Equatable {
        case none
        /// The program has other elementary streams than before, or is another.
        case tracks
    }

    /// The PAT as it last passed.
    private(set) var association: ProgramAssociation?
    private var associationSection: SectionAssembler.Section?
    private var associationAssembler = SectionAssembler()
    /// The PIDs of PMTs, at most `ProgramAssociation.programsMax`, and an assembler for each.
    private var mapPIDs: [UInt16] = []
    private var mapAssemblers: [SectionAssembler] = []

    /// Of the program that is followed.
    private(set) var map: ProgramMap?
    private var mapSection: SectionAssembler.Section?
    private var program: ProgramAssociation.Program?
    /// Where the PAT before the newest PMT lies in the stream.
    private(set) var tablesOffset: UInt64?

    /// True for packets that belong to `receive`.
    func isTable(_ pid: UInt16) -> Bool {
        pid == 0 || mapPIDs.contains(pid)
    }

    /// True when the stream has more than the program that is followed, which a segment may not (RFC 8216 §3.2). So has
    /// one with a network information table: players that follow the PAT's first entry take that for their program.
    var hasOtherPrograms: Bool { association.map { $0.programs.count > 1 || $0.namesNetwork } ?? false }

    /// Takes a packet of a PID that carries tables.
    mutating func receive(_ header: TransportPacket, _ bytes: Span<UInt8>, at offset: UInt64) -> Change {
        guard header.pid != 0 else {
            for section in associationAssembler.receive(header, bytes, at: offset) { take(association: section) }
            return .none
        }
        guard let index = mapPIDs.firstIndex(of: header.pid) else { return .none }
        var change = Change.none
        for section in mapAssemblers[index].receive(header, bytes, at: offset)
        where take(map: section, pid: header.pid) == .tracks {
            change = .tracks
        }
        return change
    }

    private mutating func take(association section: SectionAssembler.Section) {
        guard let table = ProgramAssociation(section: section.bytes) else { return }
        associationSection = section
        guard table != association else { return }
        association = table
        mapPIDs = []
        for program in table.programs where !mapPIDs.contains(program.mapPID) { mapPIDs.append(program.mapPID) }
        mapAssemblers = mapPIDs.map { _ in SectionAssembler() }
        if let program, !table.programs.contains(program) { self.program = nil }
    }

    private mutating func take(map section: SectionAssembler.Section, pid: UInt16) -> Change {
        guard let association, let associationSection, let found = ProgramMap(section: section.bytes) else {
            return .none
        }
        let named = ProgramAssociation.Program(number: found.number, mapPID: pid)
        guard let rank = association.programs.firstIndex(of: named), found.leading != nil else { return .none }
        if let program, let current = association.programs.firstIndex(of: program), current < rank { return .none }
        let isChange = map != nil && map?.streams != found.streams
        program = named
        map = found
        mapSection = section
        tablesOffset = associationSection.offset
        return isChange ? .tracks : .none
    }

    /// Packets of PAT and PMT, to go in front of a segment.
    var tables: [UInt8]? {
        guard let associationSection, let mapSection, let program else { return nil }
        var table = associationSection.bytes
        if hasOtherPrograms { table = ProgramAssociation.section(like: table, naming: program) }
        return SectionAssembler.packets(of: table, pid: 0, continuity: associationSection.continuity)
            + SectionAssembler.packets(of: mapSection.bytes, pid: program.mapPID, continuity: mapSection.continuity)
    }

    /// What a packet must be part of to belong to the program that is followed.
    func isOfProgram(_ pid: UInt16) -> Bool {
        guard let map else { return true }
        return pid == map.clockPID || map.streams.contains { $0.pid == pid }
    }

    /// What follows does not continue what came before: halves of sections are forgotten.
    mutating func reset() {
        associationAssembler = SectionAssembler()
        for index in mapAssemblers.indices { mapAssemblers[index] = SectionAssembler() }
    }
}
