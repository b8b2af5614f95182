/// The kind of an elementary stream, as needed to find random access points. It is given by `stream_type` (ISO/IEC
/// 13818-1 table 2-34), or, if that says only "private data", by a descriptor.
enum ElementaryCodec: Equatable {
    case mpegVideo
    case mpeg4Visual
    case h264
    case h265
    /// Video whose coding is not parsed: only `random_access_indicator` marks random access points.
    case otherVideo
    /// Every frame can be decoded by itself.
    case audio

    /// Nil if it is not known to be video or audio.
    init?(streamType: UInt8, descriptors: ArraySlice<UInt8>) {
        switch streamType {
        case 0x01, 0x02: self = .mpegVideo
        case 0x10: self = .mpeg4Visual
        case 0x1b, 0x1f, 0x20: self = .h264
        case 0x24, 0x25: self = .h265
        // JPEG 2000, VVC, AVS, AVS2, AVS3, Dirac, VC-1.
        case 0x21, 0x32, 0x33, 0x42, 0xd1, 0xd2, 0xd4, 0xea: self = .otherVideo
        // MPEG-1, MPEG-2, AAC in its forms, and, in ATSC and Blu-ray, AC-3, DTS and related formats.
        case 0x03, 0x04, 0x0f, 0x11, 0x1c, 0x2d, 0x2e, 0x80...0x85, 0x87, 0x88, 0x8a, 0xa1, 0xa2:
            self = .audio
        case 0x06, 0x7f, 0xc1...0xff:
            guard let codec = Self.codec(from: descriptors, of: streamType) else { return nil }
            self = codec
        default: return nil
        }
    }

    private static func codec(from descriptors: ArraySlice<UInt8>, of streamType: UInt8) -> ElementaryCodec? {
        var index = descriptors.startIndex
        while index + 2 <= descriptors.endIndex {
            let length = Int(descriptors[index + 1])
            let content = descriptors[(index + 2)..<min(index + 2 + length, descriptors.endIndex)]
            switch descriptors[index] {
            // registration_descriptor (ISO/IEC 13818-1 §2.6.8).
            case 0x05: if let codec = registered(content.prefix(4)) { return codec }
            // DVB's AC-3, enhanced AC-3, DTS and AAC (ETSI EN 300 468 table 12).
            case 0x6a, 0x7a, 0x7b, 0x7c: return .audio
            // Descriptors of MPEG-1/2 video, MPEG-4 visual, AVC, HEVC, and MPEG audio including AAC.
            case 0x02 where streamType == 0x06: return .mpegVideo
            case 0x1b where streamType == 0x06: return .mpeg4Visual
            case 0x28 where streamType == 0x06: return .h264
            case 0x38 where streamType == 0x06: return .h265
            case 0x03, 0x1c, 0x2b: if streamType == 0x06 { return .audio }
            // Extensions: DTS-HD 0x0e, DTS Neural 0x0f, AC-4 0x15, DTS-UHD 0x21, and Opus 0x80.
            case 0x7f: if let tag = content.first, [0x0e, 0x0f, 0x15, 0x21, 0x80].contains(tag) { return .audio }
            default: break
            }
            index += 2 + length
        }
        return nil
    }

    private static func registered(_ identifier: ArraySlice<UInt8>) -> ElementaryCodec? {
        switch String(decoding: identifier, as: UTF8.self) {
        case "AVC ", "AVC1", "H264", "avc1": .h264
        case "HEVC", "hvc1", "hev1": .h265
        case "mp4v", "MP4V": .mpeg4Visual
        case "AV01", "VVC ", "VC-1", "drac", "AVSV": .otherVideo
        case "AC-3", "AC-4", "EAC3", "Opus", "DTS1", "DTS2", "DTS3", "DTSH", "BSSD", "dtsh", "mp4a", "mlpa": .audio
        default: nil
        }
    }
}
