/// Reads a stream's whole transport packets as they pass: follows one program, and lists each access unit of its
/// leading elementary stream. Never changes the stream.
///
/// The leading elementary stream is the first video. While that is silent and the sound continues, the first audio
/// leads.
struct TransportStreamScanner {
    /// An access unit of the leading stream begins.
    struct AccessUnit: Equatable {
        /// Offset of its first packet in the stream.
        var offset: UInt64
        /// 33 bits of 90 kHz.
        var timestamp: UInt64
        var randomAccess: Bool
        /// When it is decoded: 33 bits of 90 kHz; `timestamp` if the encoder doesn't reorder.
        var decoding: UInt64?
        /// A hash of the sequence parameter sets in it; nil if it has none.
        var parameters: UInt64?
    }

    /// What a scan finds.
    enum Event: Equatable {
        case unit(AccessUnit)
        /// From this byte on, the elementary streams of the program or the parameters of the leading one are different.
        case tracksChange(offset: UInt64)
        /// The leading video is silent, and the sound leads instead; or the video is back.
        case leaderChange(isSound: Bool)
    }

    /// How long the sound continues without a picture before it leads, 90 kHz.
    private static let silenceMax = 3 * UInt64(TimestampUnwrapper.ticksPerSecond)
    /// Maximum number of sound units kept in that time: enough for 170 frames a second.
    private static let soundUnitsMax = 512
    private static let timestampMask: UInt64 = 1 << 33 - 1

    /// Events of the last scan, in order.
    private(set) var events: [Event] = []
    private(set) var program = ProgramFinder()
    /// How far the stream has come.
    private(set) var position = StreamPosition()
    /// Packets that are encrypted.
    private(set) var scrambledPackets: UInt64 = 0
    private(set) var packets: UInt64 = 0

    /// What the program probably is, until its first tables come.
    private let expected: ProgramMap?
    private var main: AccessUnitReader?
    private var sound: AccessUnitReader?
    private var isSoundLeading = false
    /// The sound units since the last picture; they become events later, if the sound becomes the leader.
    private var soundUnits: [AccessUnit] = []
    private var parameters: UInt64?

    /// - Parameter expected: the elementary streams to read before the first tables come; nil to wait for those.
    init(expecting expected: ProgramMap? = nil) {
        self.expected = expected
        if expected != nil { follow() }
    }

    /// The elementary streams that are read.
    private var map: ProgramMap? { program.map ?? expected }

    /// Reads whole packets, which lie at `offset`, and fills `events`.
    mutating func scan(_ bytes: Span<UInt8>, at offset: UInt64) {
        events.removeAll(keepingCapacity: true)
        var index = 0
        while bytes.count - index >= TransportPacket.length {
            receive(bytes.extracting(index..<index + TransportPacket.length), at: offset &+ UInt64(index))
            index += TransportPacket.length
        }
    }

    /// Prepares for bytes that do not continue the previous ones.
    /// - Parameter isOtherSource: true if the next bytes may have other parameters, and other clocks.
    mutating func reset(isOtherSource: Bool) {
        program.reset()
        main?.reset()
        sound?.reset()
        soundUnits.removeAll(keepingCapacity: true)
        if isOtherSource {
            parameters = nil
            program = ProgramFinder()
            position = StreamPosition()
        }
    }

    private mutating func receive(_ bytes: Span<UInt8>, at offset: UInt64) {
        guard let header = TransportPacket(bytes) else { return }
        packets &+= 1
        position.note(header, bytes, at: offset, map: map)
        if program.isTable(header.pid) {
            let before = map
            if program.receive(header, bytes, at: offset) == .tracks { events.append(.tracksChange(offset: offset)) }
            if map?.streams != before?.streams { follow() }
            return
        }
        guard !header.isScrambled else {
            scrambledPackets &+= 1
            return
        }
        if header.pid == main?.pid {
            var units: [AccessUnit] = []
            main?.receive(header, bytes, at: offset) { units.append($0) }
            for unit in units { take(picture: unit) }
        } else if header.pid == sound?.pid {
            var units: [AccessUnit] = []
            sound?.receive(header, bytes, at: offset) { units.append($0) }
            for unit in units { take(sound: unit) }
        }
    }

    private mutating func follow() {
        position.follow(map)
        main = map?.leading.flatMap { stream in stream.codec.map { AccessUnitReader(stream, codec: $0) } }
        sound = map?.video == nil ? nil : map?.audio.map { AccessUnitReader($0, codec: .audio) }
        isSoundLeading = false
        soundUnits.removeAll(keepingCapacity: true)
        parameters = nil
    }

    private mutating func take(picture unit: AccessUnit) {
        soundUnits.removeAll(keepingCapacity: true)
        if isSoundLeading {
            guard unit.randomAccess else { return }
            isSoundLeading = false
            events.append(.leaderChange(isSound: false))
        }
        if let found = unit.parameters {
            if let parameters, parameters != found { events.append(.tracksChange(offset: unit.offset)) }
            parameters = found
        }
        events.append(.unit(unit))
    }

    private mutating func take(sound unit: AccessUnit) {
        if isSoundLeading { return events.append(.unit(unit)) }
        let silence = soundUnits.first.map { (unit.timestamp &- $0.timestamp) & Self.timestampMask } ?? 0
        // A backward step of the clock does not count as silence.
        if silence >= 1 << 32 { soundUnits.removeAll(keepingCapacity: true) }
        if soundUnits.count < Self.soundUnitsMax { soundUnits.append(unit) }
        guard soundUnits.count > 1, silence > Self.silenceMax, silence < 1 << 32 else { return }
        isSoundLeading = true
        events.append(.leaderChange(isSound: true))
        for unit in soundUnits { events.append(.unit(unit)) }
        soundUnits.removeAll(keepingCapacity: true)
    }
}
