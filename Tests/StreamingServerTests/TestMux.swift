@testable import StreamingServer

/// Writes small transport streams: tables, access units and the faults of real encoders.
struct TestMux {
    private var counters: [UInt16: UInt8] = [:]
    private(set) var bytes: [UInt8] = []

    private mutating func counter(_ pid: UInt16) -> UInt8 {
        let value = counters[pid] ?? 0
        counters[pid] = (value + 1) & 0x0f
        return value
    }

    static func section(table: UInt8, number: UInt16, version: UInt8 = 0, _ body: [UInt8]) -> [UInt8] {
        let length = body.count + 9
        var section: [UInt8] = [table, 0xb0 | UInt8(length >> 8), UInt8(length & 0xff)]
        section += [UInt8(number >> 8), UInt8(number & 0xff), 0xc1 | version << 1, 0, 0]
        section += body
        let crc = SectionAssembler.checksum(section)
        return section + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: crc >> UInt32($0)) }
    }

    static func association(_ programs: [(number: UInt16, pid: UInt16)]) -> [UInt8] {
        section(
            table: 0, number: 1,
            programs.flatMap { program -> [UInt8] in
                let number: [UInt8] = [UInt8(program.number >> 8), UInt8(program.number & 0xff)]
                return number + [0xe0 | UInt8(program.pid >> 8), UInt8(program.pid & 0xff)]
            })
    }

    static func map(
        _ number: UInt16, _ streams: [(type: UInt8, pid: UInt16, descriptors: [UInt8])], version: UInt8 = 0
    ) -> [UInt8] {
        var body: [UInt8] = [0xe0 | UInt8(streams[0].pid >> 8), UInt8(streams[0].pid & 0xff), 0xf0, 0]
        for stream in streams {
            body += [stream.type, 0xe0 | UInt8(stream.pid >> 8), UInt8(stream.pid & 0xff)]
            body += [0xf0, UInt8(stream.descriptors.count)] + stream.descriptors
        }
        return section(table: 2, number: number, version: version, body)
    }

    /// Writes sections back to back, starting in a new packet.
    mutating func sections(_ pid: UInt16, _ sections: [UInt8]...) {
        let data: [UInt8] = [0] + Array(sections.joined())
        for start in stride(from: 0, to: data.count, by: 184) {
            let part = data[start..<min(start + 184, data.count)]
            bytes += [0x47, (start == 0 ? 0x40 : 0) | UInt8(pid >> 8), UInt8(pid & 0xff), 0x10 | counter(pid)]
            bytes += part
            bytes += [UInt8](repeating: 0xff, count: 184 - part.count)
        }
    }

    /// Writes PAT and PMT of one program with video at 256 and sound at 257.
    mutating func tables(video: UInt8 = 0x1b, sound: UInt8? = 0x0f) {
        sections(0, Self.association([(1, 4096)]))
        var streams: [(type: UInt8, pid: UInt16, descriptors: [UInt8])] = [(video, 256, [])]
        if let sound { streams.append((sound, 257, [])) }
        sections(4096, Self.map(1, streams))
    }

    /// Writes a PES packet.
    /// - Parameters:
    ///   - indicator: sets `random_access_indicator`.
    ///   - first: the maximum number of payload bytes in the first packet.
    mutating func unit(
        _ pid: UInt16, at ticks: UInt64, _ data: [UInt8], indicator: Bool = false, first: Int = 184
    ) {
        let pts = ticks & (1 << 33 - 1)
        var pes: [UInt8] = [0, 0, 1, pid == 256 ? 0xe0 : 0xc0, 0, 0, 0x80, 0x80, 5]
        pes.append(0x21 | UInt8(pts >> 30 & 7) << 1)
        pes.append(UInt8(pts >> 22 & 0xff))
        pes.append(UInt8(pts >> 15 & 0x7f) << 1 | 1)
        pes.append(UInt8(pts >> 7 & 0xff))
        pes.append(UInt8(pts & 0x7f) << 1 | 1)
        pes += data
        var start = 0
        while start < pes.count {
            let flag = indicator && start == 0
            let room = min(start == 0 ? first : 184, flag ? 182 : 184)
            let part = pes[start..<min(start + room, pes.count)]
            let stuffing = 184 - part.count
            let control: UInt8 = stuffing > 0 ? 0x30 : 0x10
            bytes += [0x47, (start == 0 ? 0x40 : 0) | UInt8(pid >> 8), UInt8(pid & 0xff), control | counter(pid)]
            if stuffing > 0 {
                bytes.append(UInt8(stuffing - 1))
                if stuffing > 1 { bytes.append(flag ? 0x40 : 0) }
                if stuffing > 2 { bytes += [UInt8](repeating: 0xff, count: stuffing - 2) }
            }
            bytes += part
            start += part.count
        }
    }

    /// A minimal H.264 picture: an IDR or a predicted one, with or without parameter sets before it.
    static func picture(key: Bool, parameters: Bool? = nil, profile: UInt8 = 66, size: Int = 40) -> [UInt8] {
        var data: [UInt8] = [0, 0, 0, 1, 9, 0xf0]
        if parameters ?? key { data += [0, 0, 0, 1, 0x67, profile, 0, 30, 0xab, 0, 0, 0, 1, 0x68, 0xce, 0x38] }
        // first_mb_in_slice 0, slice_type 7 (I) or 5 (P).
        data += key ? [0, 0, 1, 0x65, 0x88, 0x84] : [0, 0, 1, 0x41, 0x9a, 0x24]
        return data + [UInt8](repeating: 0x55, count: size)
    }

    /// Writes video of 25 pictures a second with sound, from `start` seconds on.
    mutating func programme(
        seconds: Double, from start: Double = 10, group: Int = 25, size: Int = 40, sound: Bool = true,
        picture: (Int) -> Bool = { _ in true }
    ) {
        for index in 0..<Int(seconds * 25) {
            let ticks = UInt64(start * 90_000) + UInt64(index) * 3_600
            if index % 5 == 0 { tables(sound: sound ? 0x0f : nil) }
            if picture(index) {
                let isKey = index % group == 0
                unit(256, at: ticks, Self.picture(key: isKey, size: size), indicator: isKey)
            }
            if sound { unit(257, at: ticks, [0xff, 0xf1, 0, 0]) }
        }
    }
}

extension TestMux {
    /// The events that a scanner finds in the bytes.
    func scan() -> (events: [TransportStreamScanner.Event], scanner: TransportStreamScanner) {
        var scanner = TransportStreamScanner()
        var events: [TransportStreamScanner.Event] = []
        for start in stride(from: 0, to: bytes.count, by: 7 * 188) {
            let piece = Array(bytes[start..<min(start + 7 * 188, bytes.count)])
            scanner.scan(piece.span, at: UInt64(start))
            events += scanner.events
        }
        return (events, scanner)
    }

    var units: [TransportStreamScanner.AccessUnit] {
        scan().events.compactMap { if case .unit(let unit) = $0 { unit } else { nil } }
    }
}
