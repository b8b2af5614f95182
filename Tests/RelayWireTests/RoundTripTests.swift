@testable import NodeIdentity
import ReflectorModel
import RelayWire
import Testing

@Suite("Round trips of random messages")
struct RoundTripTests {
    @Test("Every handshake message is decoded unchanged", arguments: [1, 2, 3] as [UInt64])
    func handshakes(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<5_000 {
            let message = random.handshake()
            #expect(try Bytes.handshake(Bytes.encode(message)) == message)
        }
    }

    @Test("What a link adds to Open and Opened is decoded unchanged", arguments: [10, 11] as [UInt64])
    func payloads(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<5_000 {
            let (request, grant) = (random.request(), random.grant())
            #expect(try LinkRequest(decoding: request.encoded) == request)
            #expect(try LinkGrant(decoding: grant.encoded) == grant)
        }
    }

    @Test("Every control message is decoded unchanged, with its token and counter", arguments: [4, 5, 6] as [UInt64])
    func control(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<5_000 {
            let (message, token, counter) = (random.control(), random.next(), random.next())
            let bytes = Bytes.encode(message, token: token, counter: counter)
            #expect(try Bytes.control(bytes) == message)
            let header = try bytes.withUnsafeBytes { try ControlHeader(parsing: $0) }
            #expect(header.token == token && header.counter == counter)
        }
    }

    @Test("Every data header is decoded unchanged, at any payload length", arguments: [7, 8] as [UInt64])
    func data(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<5_000 {
            let header = random.dataHeader()
            let payload = header.isFiller ? 0 : Int.random(in: 0...WireLimits.payloadMax, using: &random)
            #expect(try Bytes.dataHeader(Bytes.unsealed(header, payload: payload)) == header)
        }
    }

    @Test("A page is filled to the last entry that fits")
    func pages() {
        var random = SeededGenerator(seed: 9)
        for _ in 0..<500 {
            let entries = (0..<100).map { _ in
                Announce.Entry(
                    stream: random.streamName(), portset: PortsetID(1), incarnation: Incarnation(high: 1, low: 2))
            }
            let pages = Announce.pages(version: 1, of: entries)
            #expect(pages.flatMap(\.entries) == entries)
            #expect(pages.map(\.header.page) == (0..<UInt16(pages.count)).map { $0 })
            for (page, next) in zip(pages, pages.dropFirst()) {
                let length = Bytes.encode(.announce(page)).count
                #expect(length <= WireLimits.announceLengthMax)
                #expect(length + 20 + next.entries[0].stream.text.utf8.count > WireLimits.announceLengthMax)
            }
        }
    }

    @Test("The largest messages fit their limits")
    func largest() {
        let nonce = Nonce([UInt8](repeating: 255, count: 16))!
        let sealed = [UInt8](repeating: 255, count: HandshakeSizes.sealedMax)
        let key = AgreementPublicKey([UInt8](repeating: 255, count: 32))!
        let cookie = RoutabilityCookie(milliseconds: .max, mac: CookieMAC([UInt8](repeating: 255, count: 16))!)
        let open = OpenMessage(nonce: nonce, cookie: cookie, childKey: key, sealed: sealed)
        #expect(Bytes.encode(.open(open)).count == 810)
        let opened = OpenedMessage(nonce: nonce, parentKey: key, sealed: sealed)
        #expect(Bytes.encode(.opened(opened)).count == 786)
        let hello = Bytes.encode(.hello(HelloMessage(nonce: nonce)))
        let answer = Bytes.encode(.cookie(CookieMessage(nonce: nonce, cookie: cookie, epochKey: key)))
        #expect(answer.count <= hello.count)
        let entry = LinkHeartbeat.Entry(subscription: 0, highest: .none, upstreamSilentMilliseconds: 0)
        let heartbeat = LinkHeartbeat(
            nextLinkNumber: 0, leaseNonce: 0, timestamp: 0, echoedTimestamp: 0, echoDelayMicroseconds: 0,
            digestMismatch: false, entries: Array(repeating: entry, count: LinkHeartbeat.entriesMax))
        #expect(Bytes.encode(.linkHeartbeat(heartbeat)).count == 965)
        let runs = (1...UInt64(Nak.numbersMax)).map { Nak.Run(first: SequenceNumber(2 * $0), count: 1) }
        #expect(Bytes.encode(.nak(Nak(subscription: 0, tryNumber: 1, runs: runs))).count == 617)
    }
}
