/// The PAT: which PID carries the PMT of the stream's first program (ISO/IEC 13818-1 §2.4.4.3).
struct ProgramAssociation: Equatable {
    var programMapPID: UInt16

    /// Nil unless `section` is a PAT in force that names a program.
    init?(section: [UInt8]) {
        guard section.count >= 12, section[0] == 0x00, section[5] & 0x01 != 0 else { return nil }
        var index = 8
        while index + 4 <= section.count - 4 {
            let program = UInt16(section[index]) << 8 | UInt16(section[index + 1])
            // Program 0 is the network information table.
            if program != 0 {
                programMapPID = UInt16(section[index + 2] & 0x1f) << 8 | UInt16(section[index + 3])
                return
            }
            index += 4
        }
        return nil
    }
}

/// The PMT: what elementary streams the program has (ISO/IEC 13818-1 §2.4.4.8).
struct ProgramMap: Equatable {
    /// What an elementary stream carries, as far as finding random access points needs to know.
    enum Codec: Equatable {
        case mpegVideo
        case h264
        case h265
        case audio

        init?(streamType: UInt8) {
            switch streamType {
            case 0x01, 0x02: self = .mpegVideo
            case 0x1b: self = .h264
            case 0x24: self = .h265
            case 0x03, 0x04, 0x0f, 0x11, 0x81, 0x87: self = .audio
            default: return nil
            }
        }
    }

    struct ElementaryStream: Equatable {
        var pid: UInt16
        var codec: Codec
    }

    /// The streams of a known codec, in the order of the table.
    var streams: [ElementaryStream] = []

    /// The stream whose time stamps and random access points rule the program: the first video, else the first audio.
    var leading: ElementaryStream? { streams.first { $0.codec != .audio } ?? streams.first }

    /// Nil unless `section` is a PMT in force.
    init?(section: [UInt8]) {
        guard section.count >= 16, section[0] == 0x02, section[5] & 0x01 != 0 else { return nil }
        let end = section.count - 4
        var index = 12 + (Int(section[10] & 0x0f) << 8 | Int(section[11]))
        while index + 5 <= end {
            let pid = UInt16(section[index + 1] & 0x1f) << 8 | UInt16(section[index + 2])
            if let codec = Codec(streamType: section[index]) {
                streams.append(ElementaryStream(pid: pid, codec: codec))
            }
            index += 5 + (Int(section[index + 3] & 0x0f) << 8 | Int(section[index + 4]))
        }
    }
}
