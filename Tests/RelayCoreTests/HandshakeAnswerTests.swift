import NodeIdentity
import ReflectorModel
import ReflectorSimulation
import RelayWire
import Testing

@testable import RelayCore

/// A parent that answers an edge's handshake messages when the test says so.
private final class ScriptedParent {
    static let endpoint = Bench.endpoint(66)
    let bench = Bench()
    let edge: RelayNode
    private let identity: NodeHandshakes<SimulatedIdentityCrypto>
    private let crypto: SimulatedCrypto
    private var applicant: (any LinkApplicant)?

    /// - Parameter isSecond: whether the edge's random numbers are others than usual.
    init(_ identity: SimulatedIdentity? = nil, isSecond: Bool = false) {
        if isSecond { _ = bench.add("first", .edge, 101, region: RegionID(1283)) }
        let stream = StreamName("live/news")!
        let answer = LookUpResult.records(
            LookUpAnswer(
                hosts: [ResolvedHost(name: "set-0", endpoint: Self.endpoint, priority: 0, weight: 1)],
                ttlSeconds: 20, serial: 1, portset: PortsetID(7)))
        bench.answers[.candidates(stream)] = answer
        for rank in ParentRank.allCases { bench.answers[.parents(rank, RegionID(1283), PortsetID(7))] = answer }
        edge = bench.add("edge", .edge, 100, region: RegionID(1283), sink: Bench.Sink()) { $0.packetsMax = 16 }
        crypto = SimulatedCrypto(operatorKey: Bench.operatorKey, seed: 99)
        self.identity = crypto.handshakes(
            identity ?? SimulatedIdentity(name: "set-0", .set, operatorKey: Bench.operatorKey), at: bench.now)
        edge.want(stream, at: bench.now)
        bench.run(for: .milliseconds(1))
    }

    var isAlive: Bool { edge.core.links.parents.all.contains { $0.isAlive } }
    var link: ParentLink? { edge.core.links.parents.all.first }
    var rejects: UInt64 {
        [.rejectedMalformed, .rejectedVersion, .rejectedUnexpected, .rejectedHandshake, .droppedOpensFull]
            .reduce(0) { $0 + edge.counters[$1] }
    }

    func send(_ bytes: [UInt8]) { bench.inject(bytes, from: Self.endpoint, to: edge) }

    /// The answer to the edge's newest Hello.
    func cookie() -> [UInt8]? {
        guard case .hello(let hello)? = last(0x10),
            let cookie = try? identity.cookie(for: hello, from: Tree.edgeEndpoint, at: bench.now)
        else { return nil }
        return HandshakeMessage.cookie(cookie).bytes
    }

    /// Reads the edge's newest Open. True if it is right.
    func takeOpen() -> Bool {
        guard case .open(let open)? = last(0x12),
            case .accepted(let child)? = try? identity.receive(open, from: Tree.edgeEndpoint, at: bench.now)
        else { return false }
        applicant = child
        return true
    }

    func opened() -> [UInt8]? {
        let grant = LinkGrant(parentToken: 5, leaseMilliseconds: 6_000)
        guard let answer = try? applicant?.grant(grant) else { return nil }
        return HandshakeMessage.opened(answer.opened).bytes
    }

    func refused(_ reason: HandshakeRefusal) -> [UInt8]? {
        (try? applicant?.refuse(reason)).map { HandshakeMessage.refused($0).bytes }
    }

    private func last(_ type: UInt8) -> HandshakeMessage? {
        guard let bytes = bench.sent.last(where: { $0.type == type && $0.to == Self.endpoint })?.bytes else {
            return nil
        }
        return try? bytes.withUnsafeBytes { try HandshakeCodec.decode($0) }
    }
}

@Suite("Answers to a child's handshake: changed, in the wrong order, of the wrong node")
struct HandshakeAnswerTests {
    private func changed(_ bytes: [UInt8], at place: Int, _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        bytes[place] ^= UInt8(truncatingIfNeeded: random.next()) | 1
        return bytes
    }

    @Test("A Cookie that is changed in any byte opens no link")
    func cookies() throws {
        var random = SeededGenerator(seed: 1)
        for place in 0..<HandshakeSizes.cookieMessage {
            let parent = ScriptedParent()
            let (before, cookie) = (parent.rejects, try #require(parent.cookie()))
            parent.send(changed(cookie, at: place, &random))
            // Cookie and key are not authenticated: the child sends an Open, which the parent then drops.
            let isDropped = !parent.takeOpen()
            #expect(parent.rejects > before || isDropped, "byte \(place)")
            #expect(isDropped && !parent.isAlive, "byte \(place)")
        }
    }

    @Test("An Opened that is changed in any byte opens no link and is counted; the right one still does")
    func opened() throws {
        var random = SeededGenerator(seed: 2)
        let parent = ScriptedParent()
        parent.send(try #require(parent.cookie()))
        #expect(parent.takeOpen())
        let length = try #require(parent.opened()).count
        for place in 0..<length {
            let parent = ScriptedParent()
            parent.send(try #require(parent.cookie()))
            #expect(parent.takeOpen())
            let (before, opened) = (parent.rejects, try #require(parent.opened()))
            parent.send(changed(opened, at: place, &random))
            #expect(parent.rejects == before + 1 && !parent.isAlive, "byte \(place)")
            parent.send(Array(opened.prefix(place)))
            #expect(parent.rejects == before + 2 && !parent.isAlive, "\(place) bytes")
            parent.send(opened)
            #expect(parent.isAlive)
        }
    }

    @Test("A Refused that is changed in any byte refuses nothing: nobody is refused in another's name")
    func refused() throws {
        var random = SeededGenerator(seed: 3)
        for place in 0..<36 {
            let parent = ScriptedParent()
            parent.send(try #require(parent.cookie()))
            #expect(parent.takeOpen())
            let (before, refused) = (parent.rejects, try #require(parent.refused(.identity)))
            parent.send(changed(refused, at: place, &random))
            #expect(parent.rejects == before + 1 && parent.link?.state == .opening, "byte \(place)")
            #expect(parent.edge.counters[.linksRefused] == 0)
            parent.send(try #require(parent.opened()))
            #expect(parent.isAlive, "byte \(place)")
        }
        // Unchanged, it does.
        let parent = ScriptedParent()
        parent.send(try #require(parent.cookie()))
        #expect(parent.takeOpen())
        parent.send(try #require(parent.refused(.tableFull)))
        #expect(parent.edge.counters[.linksRefused] == 1 && !parent.isAlive)
    }

    @Test("A child examines 8 Opened messages of one handshake, and no more")
    func attempts() throws {
        var random = SeededGenerator(seed: 4)
        let parent = ScriptedParent()
        parent.send(try #require(parent.cookie()))
        #expect(parent.takeOpen())
        let opened = try #require(parent.opened())
        for turn in 0..<20 { parent.send(changed(opened, at: 60 + turn, &random)) }
        #expect(parent.edge.counters[.rejectedHandshake] == 8)
        #expect(parent.edge.counters[.droppedOpensFull] == 12)
        #expect(!parent.isAlive)
    }

    @Test("Messages in the wrong order, or a second time, are counted and change nothing")
    func order() throws {
        let parent = ScriptedParent()
        let other = ScriptedParent(isSecond: true)
        other.send(try #require(other.cookie()))
        #expect(other.takeOpen())
        let strange = [try #require(other.refused(.role)), try #require(other.opened()), try #require(other.cookie())]
        // Before the Cookie, and of another handshake.
        for bytes in strange { parent.send(bytes) }
        #expect(parent.edge.counters[.rejectedUnexpected] == 3 && parent.link?.state == .greeting)
        let cookie = try #require(parent.cookie())
        parent.send(cookie)
        #expect(parent.link?.state == .opening && parent.takeOpen())
        for bytes in strange + [cookie] { parent.send(bytes) }
        #expect(parent.edge.counters[.rejectedUnexpected] == 7 && parent.link?.state == .opening)
        let (opened, refused) = (try #require(parent.opened()), try #require(parent.refused(.identity)))
        parent.send(opened)
        #expect(parent.isAlive)
        let keys = parent.edge.keyCount
        for bytes in strange + [cookie, opened, refused] { parent.send(bytes) }
        #expect(parent.edge.counters[.rejectedUnexpected] == 13 && parent.isAlive)
        #expect(parent.edge.keyCount == keys && parent.edge.counters[.linksOpened] == 1)
        // A set reflector's message to a node that opened nothing, from another address.
        parent.bench.inject(opened, from: Bench.endpoint(67), to: parent.edge)
        #expect(parent.edge.counters[.rejectedUnexpected] == 14)
    }

    @Test(
        "A parent with an expired, early or foreign certificate, or of another name, opens no link and is counted",
        arguments: [0, 1, 2, 3])
    func parents(number: Int) throws {
        let start = SimulatedIdentity.start
        let key = Bench.operatorKey
        let (identity, counter): (SimulatedIdentity, RelayCounter) =
            switch number {
            case 0: (SimulatedIdentity(name: "set-0", .set, operatorKey: key, notAfter: start), .certificatesExpired)
            case 1:
                (
                    SimulatedIdentity(name: "set-0", .set, operatorKey: key, notBefore: start + 60),
                    .certificatesEarly
                )
            case 2: (SimulatedIdentity(name: "set-0", .set, operatorKey: 1), .certificatesUntrusted)
            default: (SimulatedIdentity(name: "set-1", .set, operatorKey: key), .rejectedUnexpected)
            }
        let parent = ScriptedParent(identity)
        parent.send(try #require(parent.cookie()))
        // A lying parent does not mind whom the child looks for, or who signed the child's certificate; these do.
        guard parent.takeOpen() else {
            #expect(number >= 2 && !parent.isAlive)
            return
        }
        parent.send(try #require(parent.opened()))
        #expect(parent.edge.counters[counter] == 1 && !parent.isAlive)
    }
}
