import ReflectorModel
import RelayWire
import Testing

@Suite("Strict decoding: why each malformed message is refused")
struct StrictDecodingTests {
    private let hello = Bytes.encode(
        .hello(keyPhase: 0, role: .edge, node: NodeID(1), nonce: HandshakeNonce(high: 1, low: 2)))

    /// The message with one byte changed.
    private func with(_ bytes: [UInt8], _ index: Int, _ value: UInt8) -> [UInt8] {
        var bytes = bytes
        bytes[index] = value
        return bytes
    }

    @Test("A datagram's type is its first byte; an empty one and a reserved type have their own errors")
    func types() throws {
        func type(_ bytes: [UInt8]) throws -> DatagramType { try bytes.withUnsafeBytes { try DatagramType.of($0) } }
        #expect(throws: WireError.empty) { try type([]) }
        let known: [UInt8: DatagramType] = [
            0x10: .hello, 0x11: .cookie, 0x12: .open, 0x13: .opened, 0x14: .refused, 0x15: .probe, 0x16: .probeReport,
            0x20: .control,
            0x30: .data(retransmitted: false), 0x31: .data(retransmitted: true),
        ]
        for byte in UInt8.min...UInt8.max {
            if let expected = known[byte] {
                #expect(try type([byte]) == expected)
            } else {
                #expect(throws: WireError.unknownType) { try type([byte]) }
            }
        }
    }

    @Test("Handshake: version, role, padding, length")
    func handshake() {
        #expect(throws: WireError.badVersion) { try Bytes.handshake(with(hello, 1, 2)) }
        #expect(throws: WireError.unknownValue) { try Bytes.handshake(with(hello, 3, 0)) }
        #expect(throws: WireError.unknownValue) { try Bytes.handshake(with(hello, 3, 5)) }
        for index in 28..<44 {
            #expect(throws: WireError.unknownValue) { try Bytes.handshake(with(hello, index, 1)) }
        }
        #expect(throws: WireError.tooShort) { try Bytes.handshake(Array(hello.dropLast())) }
        #expect(throws: WireError.trailingBytes) { try Bytes.handshake(hello + [0]) }
        #expect(throws: WireError.tooLong) { try Bytes.handshake(hello + [UInt8](repeating: 0, count: 341)) }
        #expect(throws: WireError.unknownType) { try Bytes.handshake(with(hello, 0, 0x20)) }
    }

    @Test("Open: a region without its flag, unknown flags, a name with a control character")
    func open() {
        let nonce = HandshakeNonce(high: 0, low: 0)
        let bytes = Bytes.encode(
            .open(
                Open(
                    keyPhase: 0, role: .edge, node: NodeID(0), nonce: nonce,
                    cookie: HandshakeCookie(milliseconds: 0, macHigh: 0, macLow: 0), childToken: 0,
                    region: RegionID(5), name: "edge")))
        #expect(throws: WireError.unknownValue) { try Bytes.handshake(with(bytes, 64, 0)) }
        #expect(throws: WireError.unknownValue) { try Bytes.handshake(with(bytes, 64, 3)) }
        #expect(throws: WireError.badName) { try Bytes.handshake(with(bytes, 66, 0x0a)) }
        #expect(throws: WireError.badName) { try Bytes.handshake(with(bytes, 66, 0xc3)) }
        #expect(throws: WireError.tooShort) { try Bytes.handshake(with(bytes, 65, 5)) }
        #expect(throws: WireError.trailingBytes) { try Bytes.handshake(with(bytes, 65, 3)) }
    }

    @Test("Opened: a shard that is not below the count")
    func opened() {
        let nonce = HandshakeNonce(high: 0, low: 0)
        let bytes = Bytes.encode(
            .opened(
                Opened(
                    keyPhase: 0, role: .set, node: NodeID(0), nonce: nonce, parentNonce: nonce, parentToken: 0,
                    leaseMilliseconds: 0, shardCount: 2, shard: 1, name: "")))
        #expect(throws: WireError.unknownValue) { try Bytes.handshake(with(bytes, 57, 1)) }
        #expect(throws: WireError.unknownValue) { try Bytes.handshake(with(bytes, 59, 2)) }
    }

    @Test("Control: reserved kinds, a reserved byte that is not zero, lengths, unknown values of enumerations")
    func control() {
        let unsubscribe = Bytes.encode(.unsubscribe(subscription: 1))
        for kind in [0, 16, 255] as [UInt8] {
            #expect(throws: WireError.unknownKind) { try Bytes.control(with(unsubscribe, 18, kind)) }
        }
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(unsubscribe, 1, 1)) }
        #expect(throws: WireError.trailingBytes) { try Bytes.control(unsubscribe + [0]) }
        #expect(throws: WireError.tooShort) { try Bytes.control(Array(unsubscribe.dropLast())) }
        #expect(throws: WireError.tooLong) { try Bytes.control(unsubscribe + [UInt8](repeating: 0, count: 1362)) }
        let close = Bytes.encode(.close(.leaving))
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(close, 19, 3)) }
        let end = Bytes.encode(.subscriptionEnd(subscription: 1, reason: .shed))
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(end, 23, 5)) }
        let reply = Bytes.encode(.subscribeReply(SubscribeReply(subscription: 1, status: .ok)))
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(reply, 23, 9)) }
    }

    private static let most = WireLimits.sequenceMax

    @Test(
        "No message and no data packet may carry a sequence number beyond 2⁶²−1", arguments: [most + 1, 1 << 63, .max])
    func implausibleNumbers(value: UInt64) throws {
        // The encoder writes no such number, so the test replaces another one in the encoded bytes.
        let number = SequenceNumber(0x0102_0304_0506_0708)
        func replaced(_ bytes: [UInt8]) throws -> [UInt8] {
            let place = try #require(bytes.indices.first { bytes[$0...].starts(with: 1...8) })
            let wrong = withUnsafeBytes(of: value.bigEndian, Array.init)
            return bytes[..<place] + wrong + bytes[(place + 8)...]
        }
        let tag = IncarnationTag(1)
        let stream = try #require(StreamName("live/news"))
        let messages: [RelayMessage] = [
            .subscribe(
                Subscribe(
                    subscription: 1, stream: stream, portset: PortsetID(1), start: .resume(tag, number),
                    rateSixteenths: 16, path: [])),
            .subscribeReply(SubscribeReply(subscription: 1, status: .ok, oldest: number)),
            .subscribeReply(SubscribeReply(subscription: 1, status: .ok, highest: number)),
            .linkHeartbeat(
                LinkHeartbeat(
                    nextLinkNumber: 0, leaseNonce: 0, timestamp: 0, echoedTimestamp: 0, echoDelayMicroseconds: 0,
                    digestMismatch: false,
                    entries: [.init(subscription: 1, highest: number, upstreamSilentMilliseconds: 0)])),
        ]
        for message in messages {
            #expect(throws: WireError.outOfRange) { try Bytes.control(replaced(Bytes.encode(message))) }
        }
        let header = DataHeader(
            retransmitted: false, keyPhase: 0, token: 1, linkNumber: 1, tag: tag, sequence: SequenceNumber(value),
            isFiller: false)
        #expect(throws: WireError.outOfRange) { try Bytes.dataHeader(Bytes.unsealed(header, payload: 1)) }
        var report = ProbeReport(keyPhase: 0, node: NodeID(1), nonce: HandshakeNonce(high: 0, low: 0), number: 0)
        report.leads = [.init(tag: tag, source: NodeID(2), highest: number, silentMilliseconds: 0)]
        #expect(throws: WireError.outOfRange) { try Bytes.handshake(replaced(Bytes.encode(.probeReport(report)))) }
    }

    @Test("A number beyond the range, taken from a parent, is written as the highest one, so that peers accept it")
    func numbersAtTheEnd() throws {
        let stream = try #require(StreamName("live/news"))
        let request = Subscribe(
            subscription: 1, stream: stream, portset: PortsetID(1),
            start: .resume(IncarnationTag(1), SequenceNumber(Self.most + 1)), rateSixteenths: 16, path: [])
        guard case .subscribe(let read) = try Bytes.control(Bytes.encode(.subscribe(request))) else {
            Issue.record("not a Subscribe")
            return
        }
        #expect(read.start == .resume(IncarnationTag(1), SequenceNumber(Self.most)))
    }

    @Test("Announce: a page that is not below the number of pages")
    func announce() {
        for (page, pages) in [(UInt16(0), UInt16(0)), (1, 1), (.max, .max)] {
            let announce = Announce(version: 1, page: page, pages: pages, entries: [])
            #expect(throws: WireError.outOfRange) { try Bytes.control(Bytes.encode(.announce(announce))) }
        }
    }

    @Test("Subscribe: an unknown start, numbers without a resume, too long a path, a bad stream name")
    func subscribe() {
        let bytes = Bytes.encode(
            .subscribe(
                Subscribe(
                    subscription: 1, stream: StreamName("live/news")!, portset: PortsetID(1), start: .live,
                    rateSixteenths: 16, path: [])))
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(bytes, 25, 3)) }
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(bytes, 25, 0x83)) }
        for index in 26..<42 {
            #expect(throws: WireError.unknownValue) { try Bytes.control(with(bytes, index, 1)) }
        }
        #expect(throws: WireError.tooMany) { try Bytes.control(with(bytes, 43, 9)) }
        #expect(throws: WireError.tooShort) { try Bytes.control(with(bytes, 43, 8)) }
        #expect(throws: WireError.badName) { try Bytes.control(with(bytes, 45, UInt8(ascii: "L"))) }
        #expect(throws: WireError.badName) { try Bytes.control(with(bytes, 45, UInt8(ascii: "/"))) }
    }

    @Test("Nak: no ranges, an empty range, more than 64 numbers, numbers out of range")
    func nak() {
        func nak(_ runs: [(UInt64, UInt8)]) -> [UInt8] {
            var bytes = Array(Bytes.encode(.unsubscribe(subscription: 1))[..<23])
            bytes[18] = 7
            bytes += [1, UInt8(runs.count)]
            for (first, count) in runs { bytes += withUnsafeBytes(of: first.bigEndian) { Array($0) } + [count] }
            return bytes + [UInt8](repeating: 0, count: 16)
        }
        #expect(throws: Never.self) { try Bytes.control(nak([(Self.most, 1), (Self.most - 62, 63)])) }
        #expect(throws: WireError.unknownValue) { try Bytes.control(nak([])) }
        #expect(throws: WireError.unknownValue) { try Bytes.control(nak([(1, 0)])) }
        #expect(throws: WireError.unknownValue) { try Bytes.control(nak([(0, 1)])) }
        #expect(throws: WireError.unknownValue) { try Bytes.control(nak([(Self.most, 2)])) }
        #expect(throws: WireError.outOfRange) { try Bytes.control(nak([(Self.most + 1, 1)])) }
        #expect(throws: WireError.outOfRange) { try Bytes.control(nak([(.max, 1)])) }
        #expect(throws: WireError.tooMany) { try Bytes.control(nak([(1, 65)])) }
        #expect(throws: WireError.tooMany) { try Bytes.control(nak([(1, 60), (100, 5)])) }
        #expect(throws: WireError.tooMany) { try Bytes.control(nak(Array(repeating: (1, 1), count: 65))) }
    }

    @Test("LinkHeartbeat: unknown flags, more than 64 entries, a count that lies")
    func linkHeartbeat() {
        let bytes = Bytes.encode(
            .linkHeartbeat(
                LinkHeartbeat(
                    nextLinkNumber: 0, leaseNonce: 0, timestamp: 0, echoedTimestamp: 0, echoDelayMicroseconds: 0,
                    digestMismatch: false, entries: [])))
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(bytes, 51, 2)) }
        #expect(throws: WireError.tooMany) { try Bytes.control(with(bytes, 52, 65)) }
        #expect(throws: WireError.tooShort) { try Bytes.control(with(bytes, 52, 1)) }
    }

    @Test("Data: an unknown kind, number 0, a filler with a payload, lengths")
    func data() {
        let header = DataHeader(
            retransmitted: false, keyPhase: 0, token: 1, linkNumber: 1, tag: IncarnationTag(1),
            sequence: SequenceNumber(1), isFiller: false)
        let bytes = Bytes.unsealed(header, payload: 1)
        #expect(throws: WireError.unknownKind) { try Bytes.dataHeader(with(bytes, 30, 2)) }
        #expect(throws: WireError.badLength) { try Bytes.dataHeader(with(bytes, 30, 1)) }
        #expect(throws: WireError.unknownValue) { try Bytes.dataHeader(with(bytes, 29, 0)) }
        #expect(throws: WireError.tooShort) { try Bytes.dataHeader(Array(bytes.dropLast(2))) }
        #expect(throws: WireError.unknownType) { try Bytes.dataHeader(with(bytes, 0, 0x20)) }
        #expect(throws: Never.self) { try Bytes.dataHeader(Bytes.unsealed(header, payload: 1400)) }
        #expect(throws: WireError.tooLong) { try Bytes.dataHeader(Bytes.unsealed(header, payload: 1401)) }
    }
}
