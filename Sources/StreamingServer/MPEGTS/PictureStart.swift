/// The first bytes of an access unit: whether decoding can begin there, and which parameter sets it has.
///
/// If possible, the picture itself decides, because some encoders repeat parameter sets before every picture, never set
/// `random_access_indicator`, or set it on every picture.
struct PictureStart: Equatable {
    /// Nil if more bytes are needed to decide.
    var randomAccess: Bool?
    /// A hash of the sequence parameter sets; nil if there are none.
    var parameters: UInt64?

    /// - Parameters:
    ///   - bytes: the elementary stream from the access unit's first byte on.
    ///   - indicator: the packet says that decoding can begin here.
    ///   - isIndicating: the encoder has set the indicator before, so a packet without it is not a random access point.
    ///   - isAll: no more bytes will come.
    init(
        _ codec: ElementaryCodec, _ bytes: ArraySlice<UInt8>, indicator: Bool, isIndicating: Bool, isAll: Bool
    ) {
        switch codec {
        case .audio: randomAccess = true
        case .otherVideo: randomAccess = indicator
        default:
            var sawParameters = false
            var sawRecovery = false
            var units = StartCodes(bytes)
            while let unit = units.next() {
                let found = Self.kind(codec, bytes, unit)
                if found == .parameters {
                    sawParameters = true
                    // The end of the parameter set isn't known without the next start code.
                    if let end = units.nextStart { parameters = Self.hash(bytes[unit..<end], parameters) }
                }
                if found == .recoveryPoint { sawRecovery = true }
                switch found {
                case .randomAccess: randomAccess = true
                case .intra: randomAccess = indicator || sawRecovery || (sawParameters && !isIndicating)
                case .inter: randomAccess = sawRecovery && (indicator || !isIndicating)
                case .unknownPicture: randomAccess = indicator
                case .parameters, .recoveryPoint, .other, .cut: continue
                }
                if found == .intra, codec == .mpegVideo || codec == .mpeg4Visual {
                    randomAccess = indicator || sawParameters || !isIndicating
                }
                return
            }
            if isAll { randomAccess = indicator || (sawParameters && !isIndicating) }
        }
    }

    private enum Kind {
        case randomAccess
        case intra
        case inter
        /// A picture whose kind isn't known.
        case unknownPicture
        case parameters
        case recoveryPoint
        case other
        /// Too few bytes of the picture are available.
        case cut
    }

    /// The kind of the unit whose first byte after the start code is at `unit`.
    private static func kind(_ codec: ElementaryCodec, _ bytes: ArraySlice<UInt8>, _ unit: Int) -> Kind {
        let left = bytes.endIndex - unit
        switch codec {
        case .h264:
            switch bytes[unit] & 0x1f {
            case 5: return .randomAccess
            case 1, 2:
                guard left >= 6 else { return .cut }
                return isIntraSlice(bytes[(unit + 1)..<(unit + 6)]) ? .intra : .inter
            case 7: return .parameters
            case 6: return left < 2 ? .cut : bytes[unit + 1] == 6 ? .recoveryPoint : .other
            default: return .other
            }
        case .h265:
            let type = bytes[unit] >> 1 & 0x3f
            if (16...23).contains(type) { return .randomAccess }
            if type < 32 { return .unknownPicture }
            return type == 33 ? .parameters : .other
        case .mpegVideo:
            if bytes[unit] == 0xb3 { return .parameters }
            guard bytes[unit] == 0x00 else { return .other }
            guard left >= 3 else { return .cut }
            return bytes[unit + 2] >> 3 & 0x07 == 1 ? .intra : .inter
        case .mpeg4Visual:
            if (0x20...0x2f).contains(bytes[unit]) { return .parameters }
            guard bytes[unit] == 0xb6 else { return .other }
            guard left >= 2 else { return .cut }
            return bytes[unit + 1] >> 6 == 0 ? .intra : .inter
        case .otherVideo, .audio: return .unknownPicture
        }
    }

    /// True for an intra slice. Reads an H.264 slice header: `first_mb_in_slice`, then `slice_type` (ITU-T H.264
    /// §7.3.3), both Exp-Golomb.
    private static func isIntraSlice(_ header: ArraySlice<UInt8>) -> Bool {
        var word: UInt64 = 0
        for byte in header { word = word << 8 | UInt64(byte) }
        var bit = header.count * 8
        func next() -> UInt64? {
            guard bit > 0 else { return nil }
            bit -= 1
            return word >> UInt64(bit) & 1
        }
        func number() -> UInt64? {
            var zeros = 0
            while true {
                guard let value = next() else { return nil }
                if value == 1 { break }
                zeros += 1
            }
            var value: UInt64 = 1
            for _ in 0..<zeros {
                guard let low = next() else { return nil }
                value = value << 1 | low
            }
            return value - 1
        }
        guard number() != nil, let type = number() else { return false }
        return [2, 4, 7, 9].contains(type)
    }

    /// FNV-1a.
    private static func hash(_ bytes: ArraySlice<UInt8>, _ start: UInt64?) -> UInt64 {
        var hash = start ?? 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        return hash
    }
}

/// Finds the start codes 00 00 01 of an elementary stream.
private struct StartCodes {
    private let bytes: ArraySlice<UInt8>
    private var index: Int
    /// Where the next start code begins, if there is one, without a leading zero byte.
    private(set) var nextStart: Int?

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        index = bytes.startIndex
        seek()
    }

    /// Moves to the next start code, and returns the index of the byte after it.
    mutating func next() -> Int? {
        guard let start = nextStart, start + 3 < bytes.endIndex else { return nil }
        index = start + 3
        seek()
        return start + 3
    }

    private mutating func seek() {
        nextStart = nil
        var at = index
        while at + 2 < bytes.endIndex {
            if bytes[at + 2] > 1 {
                at += 3
            } else if bytes[at] == 0, bytes[at + 1] == 0, bytes[at + 2] == 1 {
                nextStart = at
                return
            } else {
                at += 1
            }
        }
    }
}
