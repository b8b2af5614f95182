import Foundation
import PacketSealing
import ReflectorModel
import RelayWire

/// The vectors of WireFormat.md's appendix, read from the document itself, and the inputs that it states.
struct DocumentedVectors {
    static let networkKey = [UInt8](0...31)
    static let phase: UInt8 = 1
    static let child = NodeID(name: "edge-1")
    static let parent = NodeID(name: "set-1")
    static let source = NodeID(name: "ep-bos")
    static let nonceC = HandshakeNonce(high: 0xa0a1_a2a3_a4a5_a6a7, low: 0xa8a9_aaab_acad_aeaf)
    static let nonceP = HandshakeNonce(high: 0xb0b1_b2b3_b4b5_b6b7, low: 0xb8b9_babb_bcbd_bebf)
    static let cookie = HandshakeCookie(
        milliseconds: 1_700_000_000_000, macHigh: 0xc0c1_c2c3_c4c5_c6c7, macLow: 0xc8c9_cacb_cccd_cecf)
    static let childToken: UInt64 = 0x0102_0304_0506_0708
    static let parentToken: UInt64 = 0x1112_1314_1516_1718
    static let stream = StreamName("live/news")!
    static let incarnation = Incarnation(high: 0x0011_2233_4455_6677, low: 0x8899_aabb_ccdd_eeff)
    static let tag = IncarnationTag(stream: stream, source: source, incarnation: incarnation)
    static let payload: [UInt8] = [0x47] + [UInt8](1...31)

    let values: [String: [UInt8]]

    init() throws {
        let document = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Sources/RelayWire/WireFormat.md").standardizedFileURL
        let text = try String(contentsOf: document, encoding: .utf8)
        var values: [String: [UInt8]] = [:]
        var name = ""
        let block = text.components(separatedBy: "```vectors\n").dropFirst().first?.components(separatedBy: "```").first
        for line in (block ?? "").split(separator: "\n") {
            if line.hasPrefix("  ") {
                values[name, default: []] += Self.bytes(hex: line.dropFirst(2))
            } else {
                name = String(line.dropLast())
            }
        }
        self.values = values
    }

    static func crypto() throws -> LibcryptoPacketCrypto {
        try LibcryptoPacketCrypto(networkKeys: [(phase: phase, key: networkKey)])
    }

    private static func bytes(hex: Substring) -> [UInt8] {
        let digits = hex.compactMap(\.hexDigitValue)
        return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    static let handshakes: [(name: String, message: HandshakeMessage)] = [
        ("Hello", .hello(keyPhase: phase, role: .edge, node: child, nonce: nonceC)),
        ("Cookie", .cookie(keyPhase: phase, nonce: nonceC, cookie: cookie)),
        (
            "Open",
            .open(
                Open(
                    keyPhase: phase, role: .edge, node: child, nonce: nonceC, cookie: cookie, childToken: childToken,
                    region: RegionID(1283), name: "edge-1"))
        ),
        (
            "Opened",
            .opened(
                Opened(
                    keyPhase: phase, role: .set, node: parent, nonce: nonceC, parentNonce: nonceP,
                    parentToken: parentToken, leaseMilliseconds: 6000, shardCount: 1, shard: 0, name: "set-1"))
        ),
        ("Refused", .refused(keyPhase: phase, reason: .cookie, nonce: nonceC)),
        (
            "Probe",
            .probe(
                Probe(
                    keyPhase: phase, role: .observer, node: NodeID(name: "ns1"), nonce: nonceC, cookie: cookie,
                    number: 0x3132_3334_3536_3738))
        ),
        ("ProbeReport", .probeReport(probeReport)),
    ]

    private static var probeReport: ProbeReport {
        var report = ProbeReport(keyPhase: phase, node: parent, nonce: nonceC, number: 0x3132_3334_3536_3738)
        report.uptimeMilliseconds = 60_000
        report.children = 3
        report.streams = 2
        report.capacity = 10_000_000_000
        report.bytesSent = 1_000_000
        report.received = 900
        report.lost = 9
        report.leads = [.init(tag: tag, source: source, highest: SequenceNumber(42), silentMilliseconds: 20)]
        return report
    }

    /// Messages of the child, then of the parent, each numbered from 1.
    static let fromChild: [(name: String, message: RelayMessage)] = [
        ("Subscribe, live", .subscribe(subscribe(.live, rate: 16, path: []))),
        ("Subscribe, preburst", .subscribe(subscribe(.preburst, rate: 32, path: [child]))),
        (
            "Subscribe, resume",
            .subscribe(
                subscribe(.resume(tag, SequenceNumber(42)), rate: 32, path: [child, NodeID(name: "edge-2")]))
        ),
        ("Unsubscribe", .unsubscribe(subscription: 7)),
        (
            "Renew",
            .renew(
                Renew(
                    leaseNonce: 0x5152_5354_5556_5758, subscriptions: 1, digest: FixedHash.mix(7),
                    timestamp: 1_000_001, echoedTimestamp: 999_001, echoDelayMicroseconds: 250, received: 1000,
                    lost: 3))
        ),
        (
            "Nak",
            .nak(
                Nak(
                    subscription: 7, tryNumber: 1,
                    runs: [.init(first: SequenceNumber(40), count: 1), .init(first: SequenceNumber(44), count: 63)]))
        ),
        ("Announce", .announce(Announce(version: 9, page: 0, pages: 1, entries: announced))),
        (
            "Heartbeat",
            .heartbeat(
                Heartbeat(
                    version: 9,
                    digest: announced.reduce(0) { digest, entry in
                        let tag = IncarnationTag(
                            stream: entry.stream, source: source, incarnation: entry.incarnation)
                        return digest &+ FixedHash.combine(tag.rawValue, UInt64(entry.portset.rawValue))
                    }, timestamp: 3_000_003))
        ),
        ("Close", .close(.leaving)),
    ]

    static let fromParent: [(name: String, message: RelayMessage)] = [
        (
            "SubscribeReply",
            .subscribeReply(
                SubscribeReply(
                    subscription: 7, status: .ok, keyPhase: phase, source: source, incarnation: incarnation,
                    oldest: SequenceNumber(1), highest: SequenceNumber(42), retryAfterMilliseconds: 250))
        ),
        ("SubscriptionEnd", .subscriptionEnd(subscription: 7, reason: .noSource)),
        (
            "LinkHeartbeat",
            .linkHeartbeat(
                LinkHeartbeat(
                    nextLinkNumber: 4, leaseNonce: 0x5152_5354_5556_5758, timestamp: 2_000_002,
                    echoedTimestamp: 1_000_001, echoDelayMicroseconds: 500, digestMismatch: true,
                    entries: [
                        .init(subscription: 7, highest: SequenceNumber(43), upstreamSilentMilliseconds: 65_535)
                    ]))
        ),
        ("AnnouncePull", .announcePull(versionHeld: 8)),
        ("HeartbeatReply", .heartbeatReply(echoedTimestamp: 3_000_003)),
    ]

    private static let announced = [
        Announce.Entry(stream: stream, portset: PortsetID(4096), keyPhase: phase, incarnation: incarnation),
        Announce.Entry(
            stream: StreamName("live/sport")!, portset: PortsetID(17), keyPhase: phase, incarnation: incarnation),
    ]

    private static func subscribe(_ start: Subscribe.Start, rate: UInt8, path: [NodeID]) -> Subscribe {
        Subscribe(
            subscription: 7, stream: stream, portset: PortsetID(4096), start: start, rateSixteenths: rate, path: path)
    }
}
