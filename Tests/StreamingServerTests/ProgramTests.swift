import Testing

@testable import StreamingServer

@Suite("Finding the program and its random access points")
struct ProgramTests {
    private typealias Unit = TransportStreamScanner.AccessUnit

    @Test("A PAT may list programs whose PMT never arrives: the first that arrives is followed, and only it is listed")
    func missingProgram() throws {
        var mux = TestMux()
        mux.sections(0, TestMux.association([(5, 500), (1, 4096)]))
        mux.sections(4096, TestMux.map(1, [(0x1b, 256, []), (0x0f, 257, [])]))
        mux.unit(256, at: 900_000, TestMux.picture(key: true), indicator: true)
        let (events, scanner) = mux.scan()
        #expect(events.count == 1)
        let tables = try #require(scanner.program.tables)
        #expect(tables.count == 2 * 188)
        // Program 5 is not in the PAT of a segment.
        #expect(Array(tables[13..<17]) == [0, 1, 0xf0, 0])
        #expect(SectionAssembler.checksum(tables[5..<21]) == 0)
    }

    @Test("A segment's PAT does not begin with the network information table that broadcasts have (hls.js#4574)")
    func networkTable() throws {
        var mux = TestMux()
        mux.sections(0, TestMux.association([(0, 16), (1, 4096)]))
        mux.sections(4096, TestMux.map(1, [(0x1b, 256, []), (0x0f, 257, [])]))
        mux.unit(256, at: 900_000, TestMux.picture(key: true), indicator: true)
        let (_, scanner) = mux.scan()
        let tables = try #require(scanner.program.tables)
        #expect(Array(tables[13..<17]) == [0, 1, 0xf0, 0])
        #expect(SectionAssembler.checksum(tables[5..<21]) == 0)
        #expect(scanner.program.hasOtherPrograms)
    }

    @Test("PMTs of two programs on one PID are distinguished by program_number")
    func sharedPID() {
        for reversed in [false, true] {
            var mux = TestMux()
            mux.sections(0, TestMux.association([(1, 4096), (2, 4096)]))
            let maps = [
                TestMux.map(1, [(0x1b, 256, []), (0x0f, 257, [])]), TestMux.map(2, [(0x0f, 300, [])]),
            ]
            for _ in 0..<3 { for map in reversed ? maps.reversed() : maps { mux.sections(4096, map) } }
            mux.unit(256, at: 900_000, TestMux.picture(key: true), indicator: true)
            let (events, scanner) = mux.scan()
            #expect(scanner.program.map?.number == 1)
            #expect(events.contains { if case .unit(let unit) = $0 { unit.randomAccess } else { false } })
        }
    }

    @Test("Sections before the PMT in its packet are skipped")
    func sectionBefore() {
        var mux = TestMux()
        let other = TestMux.section(table: 0xc0, number: 9, [1, 2, 3, 4])
        mux.sections(0, TestMux.association([(1, 4096)]))
        mux.sections(4096, other, TestMux.map(1, [(0x1b, 256, [])]))
        mux.unit(256, at: 900_000, TestMux.picture(key: true), indicator: true)
        #expect(mux.units.count == 1)
    }

    @Test("A PMT over several packets is assembled")
    func longMap() {
        var mux = TestMux()
        mux.sections(0, TestMux.association([(1, 4096)]))
        let language: [UInt8] = [0x0a, 100] + [UInt8](repeating: 0x20, count: 100)
        let sounds = (0..<6).map { (type: UInt8(0x0f), pid: UInt16(300 + $0), descriptors: language) }
        mux.sections(4096, TestMux.map(1, [(0x1b, 256, [])] + sounds))
        mux.unit(256, at: 900_000, TestMux.picture(key: true), indicator: true)
        #expect(mux.units.count == 1)
        #expect(mux.scan().scanner.program.tables?.count == 5 * 188)
    }

    @Test("A PES header over two packets is read, wherever it is cut", arguments: [9, 10, 13, 14, 20, 30])
    func cutHeader(first: Int) {
        var mux = TestMux()
        mux.tables()
        mux.unit(256, at: 900_000, TestMux.picture(key: true), first: first)
        mux.unit(256, at: 903_600, TestMux.picture(key: false), first: first)
        mux.unit(256, at: 907_200, TestMux.picture(key: false), first: first)
        #expect(mux.units.map(\.timestamp) == [900_000, 903_600, 907_200])
        #expect(mux.units.map(\.randomAccess) == [true, false, false])
    }

    @Test("Parameter sets before every picture make no random access points", arguments: [true, false])
    func parametersEverywhere(indicated: Bool) {
        var mux = TestMux()
        mux.tables()
        for index in 0..<50 {
            let isKey = index % 25 == 0
            mux.unit(
                256, at: 900_000 + UInt64(index) * 3_600, TestMux.picture(key: isKey, parameters: true),
                indicator: isKey && indicated)
        }
        #expect(mux.units.filter(\.randomAccess).map(\.timestamp) == [900_000, 990_000])
    }

    @Test("random_access_indicator on every picture does not make predicted ones random access points")
    func indicatorEverywhere() {
        var mux = TestMux()
        mux.tables()
        for index in 0..<50 {
            mux.unit(
                256, at: 900_000 + UInt64(index) * 3_600, TestMux.picture(key: index % 25 == 0), indicator: true)
        }
        #expect(mux.units.filter(\.randomAccess).map(\.timestamp) == [900_000, 990_000])
    }

    private static func registration(_ text: String) -> [UInt8] { [0x05, 4] + Array(text.utf8) }

    @Test("The descriptor gives the codec if the stream type is only 'private data'")
    func descriptors() {
        let dvb: [[UInt8]] = [
            [0x6a, 1, 0], [0x7a, 1, 0], [0x7b, 1, 0], [0x7f, 2, 0x80, 2], [0x0a, 4, 0x65, 0x6e, 0x67, 0, 0x7a, 1, 0],
        ]
        for descriptors in dvb + ["Opus", "AC-3", "EAC3", "DTS1"].map(Self.registration) {
            #expect(ElementaryCodec(streamType: 0x06, descriptors: descriptors[...]) == .audio, "\(descriptors)")
        }
        #expect(ElementaryCodec(streamType: 0x06, descriptors: Self.registration("HEVC")[...]) == .h265)
        #expect(ElementaryCodec(streamType: 0x06, descriptors: Self.registration("AV01")[...]) == .otherVideo)
    }

    @Test("Subtitles, teletext, splice information and damaged descriptors are neither video nor audio")
    func neither() {
        let others: [[UInt8]] = [[0x56, 1, 0], [0x59, 1, 0], [], [0x05], [0x05, 200, 0x41], [0x7f, 0]]
        for descriptors in others {
            #expect(ElementaryCodec(streamType: 0x06, descriptors: descriptors[...]) == nil)
        }
        #expect(ElementaryCodec(streamType: 0x86, descriptors: []) == nil)
        #expect(ElementaryCodec(streamType: 0x82, descriptors: []) == .audio)
    }

    @Test("While the video is silent, the sound leads; the video leads again from its next random access point")
    func silentVideo() {
        var mux = TestMux()
        mux.programme(seconds: 30) { index in !(125..<500).contains(index) }
        let events = mux.scan().events
        let leaders = events.compactMap { if case .leaderChange(let isSound) = $0 { isSound } else { nil } }
        #expect(leaders == [true, false])
        let times = mux.units.map { Double($0.timestamp) / 90_000 }
        #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 < 3.3 })
    }

    @Test("Other tracks or other parameters are reported; a new version of the same tables is not")
    func changes() {
        func changes(_ second: (inout TestMux) -> Void) -> Int {
            var mux = TestMux()
            mux.programme(seconds: 2)
            second(&mux)
            return mux.scan().events.count { if case .tracksChange = $0 { true } else { false } }
        }
        #expect(changes { $0.programme(seconds: 2, from: 12) } == 0)
        #expect(changes { $0.programme(seconds: 2, from: 12, sound: false) } == 1)
        #expect(changes { $0.sections(4096, TestMux.map(1, [(0x1b, 256, []), (0x0f, 257, [])], version: 3)) } == 0)
        #expect(changes { $0.sections(4096, TestMux.map(1, [(0x24, 256, []), (0x0f, 257, [])], version: 1)) } == 1)
        #expect(
            changes { $0.unit(256, at: 1_080_000, TestMux.picture(key: true, profile: 100), indicator: true) } == 1)
    }

    @Test("Tables and PES packets with every kind of damage never trap")
    func hostile() {
        var random = SplitMix(state: 7)
        var mux = TestMux()
        mux.programme(seconds: 4)
        let clean = mux.bytes
        for _ in 0..<300 {
            var bytes = clean
            for _ in 0..<200 {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            var scanner = TransportStreamScanner()
            scanner.scan(bytes.span, at: 0)
            var splice = SourceSplice(after: nil, at: .zero)
            #expect(splice.take(bytes.span, at: .zero).bytes.count % 188 == 0)
        }
        for codec in [ElementaryCodec.h264, .h265, .mpegVideo, .mpeg4Visual, .otherVideo] {
            for _ in 0..<2_000 {
                let data = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                    UInt8.random(in: 0...5, using: &random)
                }
                _ = PictureStart(
                    codec, data[...], indicator: false, isIndicating: false, isAll: Bool.random(using: &random))
            }
        }
    }
}
