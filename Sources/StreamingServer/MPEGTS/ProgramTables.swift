/// The PAT: which PIDs carry the PMTs of which programs (ISO/IEC 13818-1 §2.4.4.3).
struct ProgramAssociation: Equatable {
    struct Program: Equatable {
        var number: UInt16
        var mapPID: UInt16
    }

    /// Maximum number of programs read; further ones are ignored.
    static let programsMax = 64

    /// In the order of the table.
    var programs: [Program] = []
    /// It also lists a network information table, as broadcasts do.
    var namesNetwork = false

    /// Nil unless `section` is a currently applicable PAT that lists a program.
    init?(section: [UInt8]) {
        guard section.count >= 12, section[0] == 0x00, section[5] & 0x01 != 0 else { return nil }
        var index = 8
        while index + 4 <= section.count - 4, programs.count < Self.programsMax {
            let number = UInt16(section[index]) << 8 | UInt16(section[index + 1])
            let pid = UInt16(section[index + 2] & 0x1f) << 8 | UInt16(section[index + 3])
            // Program 0 is the network information table.
            if number == 0 { namesNetwork = true }
            if number != 0, pid != 0 { programs.append(Program(number: number, mapPID: pid)) }
            index += 4
        }
        guard !programs.isEmpty else { return nil }
    }

    /// A PAT section like `section` that names only one program (RFC 8216 §3.2: a segment has one program).
    static func section(like section: [UInt8], naming program: Program) -> [UInt8] {
        var only: [UInt8] = [0x00, 0xb0, 13]
        only += section[3...5]
        only += [0, 0]
        only += [UInt8(program.number >> 8), UInt8(program.number & 0xff)]
        only += [0xe0 | UInt8(program.mapPID >> 8), UInt8(program.mapPID & 0xff)]
        let crc = SectionAssembler.checksum(only)
        return only + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: crc >> UInt32($0)) }
    }
}

/// The PMT: what elementary streams a program has (ISO/IEC 13818-1 §2.4.4.8).
struct ProgramMap: Equatable {
    struct ElementaryStream: Equatable {
        var pid: UInt16
        var type: UInt8
        /// Nil if it is not known to be video or audio.
        var codec: ElementaryCodec?
    }

    var number: UInt16
    var clockPID: UInt16
    /// In the order of the table.
    var streams: [ElementaryStream] = []

    /// The stream whose time stamps and random access points are used for the program: the first video, otherwise the
    /// first audio.
    var leading: ElementaryStream? { video ?? audio }
    var video: ElementaryStream? { streams.first { $0.codec.map { $0 != .audio } ?? false } }
    var audio: ElementaryStream? { streams.first { $0.codec == .audio } }

    /// Nil unless `section` is a currently applicable PMT.
    init?(section: [UInt8]) {
        guard section.count >= 16, section[0] == 0x02, section[5] & 0x01 != 0 else { return nil }
        number = UInt16(section[3]) << 8 | UInt16(section[4])
        clockPID = UInt16(section[8] & 0x1f) << 8 | UInt16(section[9])
        let end = section.count - 4
        var index = 12 + (Int(section[10] & 0x0f) << 8 | Int(section[11]))
        while index + 5 <= end {
            let pid = UInt16(section[index + 1] & 0x1f) << 8 | UInt16(section[index + 2])
            let length = Int(section[index + 3] & 0x0f) << 8 | Int(section[index + 4])
            let descriptors = section[min(index + 5, end)..<min(index + 5 + length, end)]
            let codec = ElementaryCodec(streamType: section[index], descriptors: descriptors)
            streams.append(ElementaryStream(pid: pid, type: section[index], codec: codec))
            index += 5 + length
        }
    }
}
