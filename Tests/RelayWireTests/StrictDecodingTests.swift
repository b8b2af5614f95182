import NodeIdentity
import ReflectorModel
import RelayWire
import Testing

@Suite("Strict decoding: why each malformed message is refused")
struct StrictDecodingTests {
    private static let nonce = Nonce(1...16)!
    private static let key = AgreementPublicKey(1...32)!
    private static let mac = CookieMAC(1...16)!
    private static let cookie = RoutabilityCookie(milliseconds: 5, mac: mac)
    private static let sealed = [UInt8](100..<150)
    private let hello = Bytes.encode(.hello(HelloMessage(nonce: nonce)))
    private let open = Bytes.encode(
        .open(OpenMessage(nonce: nonce, cookie: cookie, childKey: key, sealed: sealed)))
    private let opened = Bytes.encode(.opened(OpenedMessage(nonce: nonce, parentKey: key, sealed: sealed)))

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
            0x10: .hello, 0x11: .cookie, 0x12: .open, 0x13: .opened, 0x14: .refused,
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

    @Test("Handshake: version, zeros, length")
    func handshake() {
        for version in [0, 1, 2, 4, 255] as [UInt8] {
            #expect(throws: WireError.badVersion) { try Bytes.handshake(with(hello, 1, version)) }
        }
        for index in [2, 3] + Array(20..<76) {
            #expect(throws: WireError.unknownValue) { try Bytes.handshake(with(hello, index, 1)) }
        }
        #expect(throws: WireError.tooShort) { try Bytes.handshake(Array(hello.dropLast())) }
        #expect(throws: WireError.trailingBytes) { try Bytes.handshake(hello + [0]) }
        #expect(throws: WireError.tooLong) { try Bytes.handshake(hello + [UInt8](repeating: 0, count: 735)) }
        #expect(throws: WireError.unknownType) { try Bytes.handshake(with(hello, 0, 0x20)) }
        let cookie = Bytes.encode(
            .cookie(CookieMessage(nonce: Self.nonce, cookie: Self.cookie, epochKey: Self.key)))
        for bytes in [cookie, open, opened] {
            for index in [2, 3] {
                #expect(throws: WireError.unknownValue) { try Bytes.handshake(with(bytes, index, 1)) }
            }
            #expect(throws: WireError.tooShort) { try Bytes.handshake(Array(bytes.dropLast())) }
            #expect(throws: WireError.trailingBytes) { try Bytes.handshake(bytes + [0]) }
        }
    }

    @Test("The types and lengths of Probe and ProbeReport of version 1 are unknown")
    func olderVersion() {
        for type in [0x15, 0x16] as [UInt8] {
            #expect(throws: WireError.unknownType) { try Bytes.handshake(with(hello, 0, type)) }
        }
    }

    @Test("Open and Opened: the length of the sealed part is that of what follows, and at most 732")
    func sealedLengths() {
        for (bytes, place) in [(open, 76), (opened, 52)] {
            #expect(throws: WireError.trailingBytes) { try Bytes.handshake(with(bytes, place + 1, 49)) }
            #expect(throws: WireError.tooShort) { try Bytes.handshake(with(bytes, place + 1, 51)) }
            #expect(throws: WireError.tooLong) { try Bytes.handshake(with(bytes, place, 255)) }
            let long = [UInt8](repeating: 0, count: HandshakeSizes.sealedMax + 1 - 50)
            let (high, low) = UInt16(HandshakeSizes.sealedMax + 1).bytes
            #expect(throws: WireError.tooLong) {
                try Bytes.handshake(with(with(bytes, place, high), place + 1, low) + long)
            }
        }
    }

    @Test("Refused: an unknown reason, a second byte that is not zero, lengths")
    func refused() {
        let bytes = Bytes.encode(
            .refused(RefusedMessage(nonce: Self.nonce, reason: .otherNode, mac: Self.mac)))
        #expect(bytes.count == 36)
        #expect(throws: WireError.unknownValue) { try Bytes.handshake(with(bytes, 2, 1)) }
        for reason in UInt8(HandshakeRefusal.allCases.count)...255 {
            #expect(throws: WireError.unknownValue) { try Bytes.handshake(with(bytes, 3, reason)) }
        }
        #expect(throws: WireError.tooShort) { try Bytes.handshake(Array(bytes.dropLast())) }
        #expect(throws: WireError.trailingBytes) { try Bytes.handshake(bytes + [0]) }
    }

    @Test("The payload of Open: a token of 0, lengths")
    func request() {
        let bytes = LinkRequest(childToken: 0x0100_0000_0000_0000, renewedToken: 0).encoded
        #expect(throws: Never.self) { try LinkRequest(decoding: bytes) }
        #expect(throws: WireError.unknownValue) { try LinkRequest(decoding: with(bytes, 0, 0)) }
        #expect(throws: WireError.tooShort) { try LinkRequest(decoding: Array(bytes.dropLast())) }
        #expect(throws: WireError.tooShort) { try LinkRequest(decoding: []) }
        #expect(throws: WireError.trailingBytes) { try LinkRequest(decoding: bytes + [0]) }
    }

    @Test("The payload of Opened: a token of 0, a shard that is not below the count, lengths")
    func grant() {
        let bytes = LinkGrant(parentToken: 1, leaseMilliseconds: 1, shardCount: 2, shard: 1).encoded
        #expect(throws: WireError.unknownValue) { try LinkGrant(decoding: with(bytes, 7, 0)) }
        #expect(throws: WireError.unknownValue) { try LinkGrant(decoding: with(bytes, 13, 1)) }
        #expect(throws: WireError.unknownValue) { try LinkGrant(decoding: with(bytes, 15, 2)) }
        #expect(throws: WireError.tooShort) { try LinkGrant(decoding: Array(bytes.dropLast())) }
        #expect(throws: WireError.trailingBytes) { try LinkGrant(decoding: bytes + [0]) }
    }

    @Test("Control: reserved kinds, a reserved byte that is not zero, lengths, unknown values of enumerations")
    func control() {
        let unsubscribe = Bytes.encode(.unsubscribe(subscription: 1))
        for kind in [0, 21, 255] as [UInt8] {
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
    }

    @Test("SubscribeReply: an unknown status, and a stream key if, and only if, the status is ok")
    func subscribeReply() {
        let key = WrappedKey(nonce: 1)
        let ok = Bytes.encode(.subscribeReply(SubscribeReply(subscription: 1, status: .ok, key: key)))
        let busy = Bytes.encode(.subscribeReply(SubscribeReply(subscription: 1, status: .busy)))
        #expect(ok.count == busy.count + 8 + WrappedKey.length)
        for status in SubscribeStatus.allCases {
            let expected: WireError = status == .ok ? .tooShort : .trailingBytes
            #expect(throws: expected) { try Bytes.control(with(status == .ok ? busy : ok, 23, status.rawValue)) }
        }
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(ok, 23, 9)) }
        #expect(throws: WireError.tooShort) { try Bytes.control(Array(ok.dropLast())) }
        #expect(throws: WireError.trailingBytes) { try Bytes.control(ok + [0]) }
    }

    @Test("SizeProbe: a length that is not its own, and padding that is not zero; PayloadLimit: no bytes, or too many")
    func sizes() {
        let probe = Bytes.encode(.sizeProbe(length: 175))
        #expect(probe.count == 175)
        #expect(throws: WireError.tooShort) { try Bytes.control(with(probe, 20, 176)) }
        #expect(throws: WireError.trailingBytes) { try Bytes.control(with(probe, 20, 174)) }
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(probe, 20, 36)) }
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(probe, 19, 255)) }
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(probe, 100, 1)) }
        let limit = Bytes.encode(.payloadLimit(subscription: 1, bytes: 1_128))
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(with(limit, 23, 0), 24, 0)) }
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(limit, 23, 255)) }
        let report = Bytes.encode(.sizeReport(length: 175))
        #expect(throws: WireError.tooShort) { try Bytes.control(Array(report.dropLast())) }
    }

    @Test("ProbeReport: more than 128 leads, a count that lies")
    func probeReport() {
        let bytes = Bytes.encode(.probeReport(ProbeReport(number: 1)))
        #expect(throws: WireError.tooMany) { try Bytes.control(with(bytes, bytes.count - 17, 129)) }
        #expect(throws: WireError.tooShort) { try Bytes.control(with(bytes, bytes.count - 17, 1)) }
        let probe = Bytes.encode(.probe(number: 1))
        #expect(throws: WireError.trailingBytes) { try Bytes.control(probe + [0]) }
    }

    @Test("WitnessReport: version 0, a page beyond the last one, an unknown flag, a count that lies")
    func witnessReport() throws {
        let stream = try #require(StreamName("live/news"))
        let report = WitnessReport(
            PageHeader(version: 1), entries: [.init(stream: stream, leader: nil, hasSubscribers: false)])
        let bytes = Bytes.encode(.witnessReport(report))
        #expect(throws: WireError.outOfRange) { try Bytes.control(with(bytes, 26, 0)) }
        #expect(throws: WireError.outOfRange) { try Bytes.control(with(bytes, 34, 1)) }
        #expect(throws: WireError.outOfRange) { try Bytes.control(with(bytes, 36, 1)) }
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(bytes, 48, 2)) }
        #expect(throws: WireError.tooShort) { try Bytes.control(with(bytes, 39, 2)) }
        #expect(throws: WireError.trailingBytes) { try Bytes.control(with(bytes, 39, 0)) }
        // A stream that is withdrawn has neither leader nor subscribers.
        let changes = Bytes.encode(
            .witnessReport(WitnessReport(PageHeader(version: 2, base: 1), entries: [.withdrawn(stream)])))
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(changes, 47, 1)) }
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(changes, 48, 3)) }
    }

    @Test(
        "RegionReport: an unknown flag, a number without an incarnation, a withdrawal in a whole list, a count that lies"
    )
    func regionReport() throws {
        let stream = try #require(StreamName("live/news"))
        var report = RegionReport(
            isLeaving: false, isSettled: true, versionHeld: 1,
            page: RegionReport.Page(PageHeader(version: 2), entries: [.init(stream: stream, isWanted: true)]))
        let bytes = Bytes.encode(.regionReport(report))
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(bytes, 19, 38)) }
        #expect(throws: WireError.trailingBytes) { try Bytes.control(with(bytes, 19, 2)) }
        #expect(throws: WireError.outOfRange) { try Bytes.control(with(bytes, 35, 0)) }
        #expect(throws: WireError.tooShort) { try Bytes.control(with(bytes, 48, 2)) }
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(bytes, 49, 64)) }
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(bytes, 49, 32)) }
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(bytes, 65, 1)) }
        report.page = RegionReport.Page(PageHeader(version: 2, base: 1), entries: [.withdrawn(stream)])
        let changes = Bytes.encode(.regionReport(report))
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(changes, 49, 33)) }
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(changes, 57, 1)) }
    }

    @Test("LanFeed: a group that is no multicast address, no port, a group without a token")
    func lanFeed() throws {
        let group = Endpoint(address: IPAddress(v4: 0xefff_0c53), port: 4_910)
        let bytes = Bytes.encode(.lanFeed(LanFeed(subscription: 7, place: .init(token: 1, group: group))))
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(bytes, 43, 192)) }
        var noPort = with(bytes, 47, 0)
        noPort = with(noPort, 48, 0)
        #expect(throws: WireError.unknownValue) { try Bytes.control(noPort) }
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(bytes, 30, 0)) }
    }

    @Test("Announce: an incarnation without data, or data without an incarnation")
    func supply() throws {
        let stream = try #require(StreamName("live/news"))
        let entry = Announce.Entry(
            stream: stream, portset: PortsetID(1), incarnation: Incarnation(high: 0, low: 1), supply: .live)
        let bytes = Bytes.encode(.announce(Announce(PageHeader(version: 1), entries: [entry])))
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(bytes, 58, 0)) }
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(bytes, 58, 3)) }
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(bytes, 58, 4)) }
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(bytes, 57, 0)) }
        // A stream that is withdrawn has no portset, and is not in a whole list.
        let changes = Bytes.encode(
            .announce(Announce(PageHeader(version: 2, base: 1), entries: [.withdrawn(stream)])))
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(changes, 41, 1)) }
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(changes, 34, 0)) }
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
            .subscribeReply(SubscribeReply(subscription: 1, status: .pending, oldest: number)),
            .subscribeReply(SubscribeReply(subscription: 1, status: .pending, highest: number)),
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
            retransmitted: false, token: 1, linkNumber: 1, tag: tag, sequence: SequenceNumber(value),
            kind: .data)
        #expect(throws: WireError.outOfRange) { try Bytes.dataHeader(Bytes.unsealed(header, payload: 1)) }
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

    @Test("Announce: a page that is not below the number of pages, a base that is not below the version")
    func announce() {
        let headers = [
            PageHeader(version: 1, page: 0, pages: 0), PageHeader(version: 1, page: 1, pages: 1),
            PageHeader(version: 1, page: .max, pages: .max), PageHeader(version: 0), PageHeader(version: 7, base: 7),
            PageHeader(version: 7, base: .max),
        ]
        for header in headers {
            let announce = Announce(header, entries: [])
            #expect(throws: WireError.outOfRange) { try Bytes.control(Bytes.encode(.announce(announce))) }
        }
    }

    @Test("Subscribe: an unknown start, numbers or a silence without a resume, too long a path, a bad stream name")
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
        #expect(throws: WireError.unknownValue) { try Bytes.control(with(bytes, 44, 1)) }
        #expect(throws: WireError.tooMany) { try Bytes.control(with(bytes, 45, 9)) }
        #expect(throws: WireError.tooShort) { try Bytes.control(with(bytes, 45, 8)) }
        #expect(throws: WireError.badName) { try Bytes.control(with(bytes, 47, UInt8(ascii: "L"))) }
        #expect(throws: WireError.badName) { try Bytes.control(with(bytes, 47, UInt8(ascii: "/"))) }
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

    @Test("Data: a second byte that is not zero, an unknown kind, number 0, a filler with a payload, lengths")
    func data() {
        let header = DataHeader(
            retransmitted: false, token: 1, linkNumber: 1, tag: IncarnationTag(1),
            sequence: SequenceNumber(1), kind: .data)
        let bytes = Bytes.unsealed(header, payload: 1)
        #expect(throws: WireError.unknownValue) { try Bytes.dataHeader(with(bytes, 1, 1)) }
        #expect(throws: WireError.unknownKind) { try Bytes.dataHeader(with(bytes, 30, 3)) }
        #expect(throws: WireError.badLength) { try Bytes.dataHeader(with(bytes, 30, 1)) }
        #expect(throws: WireError.unknownValue) { try Bytes.dataHeader(with(bytes, 29, 0)) }
        #expect(throws: WireError.tooShort) { try Bytes.dataHeader(Array(bytes.dropLast(2))) }
        #expect(throws: WireError.unknownType) { try Bytes.dataHeader(with(bytes, 0, 0x20)) }
        #expect(throws: Never.self) { try Bytes.dataHeader(Bytes.unsealed(header, payload: 1400)) }
        #expect(throws: WireError.tooLong) { try Bytes.dataHeader(Bytes.unsealed(header, payload: 1401)) }
    }
}

extension UInt16 {
    fileprivate var bytes: (UInt8, UInt8) { (UInt8(self >> 8), UInt8(self & 255)) }
}
