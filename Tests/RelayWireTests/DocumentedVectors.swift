import Foundation
import IdentityKeys
@testable import NodeIdentity
import PacketSealing
import ReflectorModel
import RelayWire
import Testing

/// The vectors of WireFormat.md's appendices, read from the document itself, and the inputs that it states.
struct DocumentedVectors {
    static let child = NodeID(name: "edge-1")
    static let parent = NodeID(name: "set-1")
    static let source = NodeID(name: "ep-bos")
    static let nonce = Nonce(0xc0...0xcf)!
    static let request = LinkRequest(childToken: 0x0102_0304_0506_0708)
    static let grant = LinkGrant(parentToken: 0x1112_1314_1516_1718, leaseMilliseconds: 6_000)
    static let stream = StreamName("live/news")!
    static let incarnation = Incarnation(high: 0x0011_2233_4455_6677, low: 0x8899_aabb_ccdd_eeff)
    static let tag = IncarnationTag(stream: stream, source: source, incarnation: incarnation)
    static let payload: [UInt8] = [0x47] + [UInt8](1...31)

    /// Messages, and the inner steps of the handshake.
    let values: [String: [UInt8]]
    let identities: [String: [UInt8]]

    init() throws {
        let document = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Sources/RelayWire/WireFormat.md").standardizedFileURL
        let text = try String(contentsOf: document, encoding: .utf8)
        values = Self.block("vectors", of: text)
        identities = Self.block("identity-vectors", of: text)
    }

    private static func block(_ name: String, of text: String) -> [String: [UInt8]] {
        var values: [String: [UInt8]] = [:]
        var title = ""
        let block = text.components(separatedBy: "```\(name)\n").dropFirst().first?.components(separatedBy: "```").first
        for line in (block ?? "").split(separator: "\n") {
            if line.hasPrefix("  ") {
                values[title, default: []] += Self.bytes(hex: line.dropFirst(2))
            } else {
                title = String(line.dropLast())
            }
        }
        return values
    }

    private static func bytes(hex: Substring) -> [UInt8] {
        let digits = hex.compactMap(\.hexDigitValue)
        return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    // MARK: Keys

    /// The keys of the documented link.
    func linkKeys(_ crypto: LibcryptoPacketCrypto) throws -> LinkKeys {
        try #require(
            crypto.install(
                LinkSecrets(
                    childToParent: try secret("link, child to parent"),
                    parentToChild: try secret("link, parent to child"),
                    parentToChildSealing: try secret("link, sealing"))))
    }

    private func secret(_ name: String) throws -> LibcryptoIdentityCrypto.Secret {
        let bytes = try #require(identities[name])
        return .init(SecretMemory.copy(of: bytes))
    }

    /// The documented stream key as its parent wraps it.
    func wrappedKey() throws -> WrappedKey {
        let bytes = try #require(values["stream key, wrapped"])
        var key = WrappedKey(nonce: 1)
        #expect(bytes.prefix(8) == [0, 0, 0, 0, 0, 0, 0, 1] && bytes.count == 8 + WrappedKey.length)
        key.withMutableBytes { $0.copyBytes(from: bytes[8...]) }
        return key
    }

    // MARK: Messages

    func handshakes() throws -> [(name: String, message: HandshakeMessage)] {
        let clock: UInt64 = 1_700_000_000_000
        let cookie = RoutabilityCookie(milliseconds: clock, mac: try fixed("cookie", from: 8))
        return [
            ("Hello", .hello(HelloMessage(nonce: Self.nonce))),
            (
                "Cookie",
                .cookie(CookieMessage(nonce: Self.nonce, cookie: cookie, epochKey: try fixed("epoch key")))
            ),
            (
                "Open",
                .open(
                    OpenMessage(
                        nonce: Self.nonce, cookie: cookie, childKey: try fixed("child key"),
                        sealed: try #require(identities["Open, sealed"])))
            ),
            (
                "Opened",
                .opened(
                    OpenedMessage(
                        nonce: Self.nonce, parentKey: try fixed("parent key"),
                        sealed: try #require(identities["Opened, sealed"])))
            ),
            (
                "Refused",
                .refused(
                    RefusedMessage(
                        nonce: Self.nonce, reason: .certificateNotYetValid, mac: try fixed("Refused, MAC")))
            ),
        ]
    }

    private func fixed<Kind>(_ name: String, from start: Int = 0) throws -> FixedBytes<Kind> {
        let bytes = try #require(identities[name])
        return try #require(FixedBytes<Kind>(bytes[start...]))
    }

    private static var probeReport: ProbeReport {
        var report = ProbeReport(number: 0x3132_3334_3536_3738)
        report.uptimeMilliseconds = 60_000
        report.children = 3
        report.streams = 2
        report.capacity = 10_000_000_000
        report.bytesSent = 1_000_000
        report.received = 900
        report.lost = 9
        report.leads = [.init(stream: stream, source: source)]
        return report
    }

    /// Messages of the child, then of the parent, each numbered from 1.
    static let fromChild: [(name: String, message: RelayMessage)] = [
        ("Subscribe, live", .subscribe(subscribe(.live, rate: 16, path: []))),
        ("Subscribe, preburst", .subscribe(subscribe(.preburst, rate: 32, path: [child]))),
        (
            "Subscribe, resume, extra path",
            .subscribe(
                subscribe(
                    .resume(tag, SequenceNumber(42)), rate: 32, silent: 150, path: [child, NodeID(name: "edge-2")],
                    isExtra: true))
        ),
        (
            "Subscribe, on request",
            .subscribe(subscribe(.live, rate: 16, path: [child], isExtra: true, isOnRequest: true))
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
        (
            "Nak, last try",
            .nak(
                Nak(subscription: 7, tryNumber: 3, isLast: true, runs: [.init(first: SequenceNumber(40), count: 2)]))
        ),
        ("Announce", .announce(Announce(PageHeader(version: 9), entries: announced))),
        (
            "Announce, changes",
            .announce(
                Announce(
                    PageHeader(version: 10, base: 8), entries: [announced[0], .withdrawn(StreamName("live/sport")!)]))
        ),
        (
            "Heartbeat",
            .heartbeat(
                Heartbeat(
                    version: 9,
                    digest: announced.reduce(0) { digest, entry in
                        let tag = IncarnationTag(
                            stream: entry.stream, source: source, incarnation: entry.incarnation)
                        let supply = UInt64(entry.supply.rawValue) << 16
                        return digest &+ FixedHash.combine(tag.rawValue, UInt64(entry.portset.rawValue) + supply)
                    }, timestamp: 3_000_003, reportHeld: 4))
        ),
        ("SizeReport", .sizeReport(length: 175)),
        ("PayloadLimit", .payloadLimit(subscription: 7, bytes: 1_128)),
        ("Probe", .probe(number: 0x3132_3334_3536_3738)),
        (
            "RegionReport",
            .regionReport(
                RegionReport(
                    isLeaving: false, isSettled: true, versionHeld: 3,
                    page: RegionReport.Page(
                        PageHeader(version: 6),
                        entries: [
                            .init(stream: stream, isWanted: true, slots: 1, held: tag, highest: SequenceNumber(42)),
                            .init(stream: StreamName("live/sport")!, isYielding: true),
                        ])))
        ),
        (
            "RegionReport, changes",
            .regionReport(
                RegionReport(
                    isLeaving: true, isSettled: true, versionHeld: 3,
                    page: RegionReport.Page(
                        PageHeader(version: 7, base: 6), entries: [.withdrawn(StreamName("live/sport")!)])))
        ),
        (
            "RegionReport, nothing new",
            .regionReport(
                RegionReport(isLeaving: false, isSettled: false, isOnLAN: true, isCutOff: true, versionHeld: 3))
        ),
        ("Close", .close(.leaving)),
    ]

    static func fromParent(_ key: WrappedKey) -> [(name: String, message: RelayMessage)] {
        [
            (
                "SubscribeReply",
                .subscribeReply(
                    SubscribeReply(
                        subscription: 7, status: .ok, source: source, incarnation: incarnation,
                        oldest: SequenceNumber(1),
                        highest: SequenceNumber(42), retryAfterMilliseconds: 250, key: key))
            ),
            (
                "SubscribeReply, busy",
                .subscribeReply(SubscribeReply(subscription: 7, status: .busy, retryAfterMilliseconds: 500))
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
            ("HeartbeatReply", .heartbeatReply(HeartbeatReply(echoedTimestamp: 3_000_003))),
            ("SizeProbe", .sizeProbe(length: 175)),
            ("ProbeReport", .probeReport(probeReport)),
            (
                "WitnessReport",
                .witnessReport(
                    WitnessReport(
                        PageHeader(version: 4),
                        entries: [
                            .init(stream: stream, leader: source, hasSubscribers: true),
                            .init(stream: StreamName("live/sport")!, leader: nil, hasSubscribers: false),
                        ]))
            ),
            (
                "WitnessReport, changes",
                .witnessReport(
                    WitnessReport(
                        PageHeader(version: 5, base: 3),
                        entries: [
                            .init(stream: stream, leader: nil, hasSubscribers: true),
                            .withdrawn(StreamName("live/sport")!),
                        ]))
            ),
            (
                "LanFeed",
                .lanFeed(
                    LanFeed(
                        subscription: 7,
                        place: .init(
                            token: 0x2122_2324_2526_2728,
                            group: Endpoint(address: IPAddress("239.255.12.83")!, port: 4_910))))
            ),
            ("LanFeed, none", .lanFeed(LanFeed(subscription: 7, place: nil))),
        ]
    }

    private static let announced = [
        Announce.Entry(stream: stream, portset: PortsetID(4096), incarnation: incarnation),
        Announce.Entry(
            stream: StreamName("live/sport")!, portset: PortsetID(17), incarnation: .none, supply: .able),
    ]

    private static func subscribe(
        _ start: Subscribe.Start, rate: UInt8, silent: UInt16 = 0, path: [NodeID], isExtra: Bool = false,
        isOnRequest: Bool = false
    ) -> Subscribe {
        Subscribe(
            subscription: 7, stream: stream, portset: PortsetID(4096), start: start, rateSixteenths: rate,
            silentMilliseconds: silent, path: path, isExtra: isExtra, isOnRequest: isOnRequest)
    }
}
