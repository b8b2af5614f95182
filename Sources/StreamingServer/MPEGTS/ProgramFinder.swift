/// Finds the program for HLS viewers: the first one in the PAT's order whose PMT has arrived and names something
/// playable. Keeps that program's newest tables.
///
/// A PAT may name programs that never arrive, several PMTs may share a PID, and one packet may hold several sections.
/// So a PMT counts only if it has the number of a program and arrives on the PID that the PAT gives for that program.
struct ProgramFinder {
    /// Result of a packet of tables.
    enum Change: Equatable {
        case none
        /// The program has other elementary streams than before, or another program was chosen.
        case tracks
    }

    /// The latest PAT.
    private(set) var association: ProgramAssociation?
    private var associationSection: SectionAssembler.Section?
    private var associationAssembler = SectionAssembler()
    /// The PIDs of PMTs, at most `ProgramAssociation.programsMax`, and an assembler for each.
    private var mapPIDs: [UInt16] = []
    private var mapAssemblers: [SectionAssembler] = []

    /// The PMT of the followed program.
    private(set) var map: ProgramMap?
    private var mapSection: SectionAssembler.Section?
    private var program: ProgramAssociation.Program?
    /// Where the PAT before the newest PMT lies in the stream.
    private(set) var tablesOffset: UInt64?

    /// The PID of the followed program's PMT.
    var mapPID: UInt16? { program?.mapPID }

    /// True for a PID whose packets must be passed to `receive`.
    func isTable(_ pid: UInt16) -> Bool {
        pid == 0 || mapPIDs.contains(pid)
    }

    /// True if the stream also has other programs, which a segment must not contain (RFC 8216 §3.2), or a network
    /// information table: players that use the PAT's first entry take that table for their program.
    var hasOtherPrograms: Bool { association.map { $0.programs.count > 1 || $0.namesNetwork } ?? false }

    /// Processes a packet of a PID that carries tables.
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

    /// Packets of PAT and PMT, to put in front of a segment.
    var tables: [UInt8]? {
        guard let associationSection, let mapSection, let program else { return nil }
        var table = associationSection.bytes
        if hasOtherPrograms { table = ProgramAssociation.section(like: table, naming: program) }
        return SectionAssembler.packets(of: table, pid: 0, continuity: associationSection.continuity)
            + SectionAssembler.packets(of: mapSection.bytes, pid: program.mapPID, continuity: mapSection.continuity)
    }

    /// True if packets of this PID belong to the followed program.
    func isOfProgram(_ pid: UInt16) -> Bool {
        guard let map else { return true }
        return pid == map.clockPID || map.streams.contains { $0.pid == pid }
    }

    /// The next packets do not continue the previous ones: drops incomplete sections.
    mutating func reset() {
        associationAssembler = SectionAssembler()
        for index in mapAssemblers.indices { mapAssemblers[index] = SectionAssembler() }
    }
}
