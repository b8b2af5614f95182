import NodeIdentity
import ReflectorModel
import ReflectorSimulation
import RelayWire
import Testing

@testable import RelayCore

@Suite("Handshake and its refusals")
struct HandshakeTests {
    private func running() throws -> Tree {
        var tree = try #require(Tree(sets: 2))
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(2))
        #expect(tree.isGapless)
        #expect(tree.numbers.count > 300)
        return tree
    }

    private let victim = Bench.endpoint(66)
    private let nonce = Nonce(0..<16)!

    @Test("A certificate of another network's operator opens nothing, and its node is told so")
    func otherOperator() throws {
        let tree = try #require(Tree(sets: 1))
        let stranger = tree.bench.add("stranger", .edge, 66, region: RegionID(1283), key: 1, sink: Bench.Sink())
        stranger.want(tree.stream, at: tree.bench.now)
        tree.bench.run(for: .seconds(3))
        #expect(tree.sets[0].counters[.certificatesUntrusted] > 0)
        #expect(Set(tree.bench.sent.filter { $0.to == victim }.map(\.type)) == [0x11, 0x14])
        #expect(
            tree.bench.alarms.contains { alarm in
                if case .refusedByPeer("set-0", .certificateUntrusted, _) = alarm { true } else { false }
            })
        #expect(tree.sets[0].snapshot.childLinks == 0)
    }

    @Test("A spoofed source gets a cookie no longer than the Hello, but no link and no data without the cookie")
    func spoofedSource() throws {
        let tree = try running()
        let hello = HandshakeMessage.hello(HelloMessage(nonce: nonce)).bytes
        tree.bench.inject(hello, from: victim, to: tree.sets[0])
        for length in [0, 200] {
            let open = OpenMessage(
                nonce: nonce, cookie: RoutabilityCookie(milliseconds: 1_900, mac: CookieMAC(0..<16)!),
                childKey: AgreementPublicKey(0..<32)!, sealed: [UInt8](repeating: 1, count: length))
            tree.bench.inject(HandshakeMessage.open(open).bytes, from: victim, to: tree.sets[0])
        }
        tree.bench.run(for: .seconds(1))
        let sent = tree.bench.sent.filter { $0.to == victim }
        #expect(sent.map(\.type) == [0x11])
        #expect(sent.allSatisfy { $0.bytes.count <= hello.count })
        #expect(tree.sets[0].counters[.rejectedBadCookie] == 2)
    }

    @Test("A cookie is valid for one address and ten seconds only")
    func cookieIsBound() throws {
        let tree = try running()
        let open = try #require(tree.bench.sent.first { $0.type == 0x12 && $0.from == Tree.edgeEndpoint })
        let set = try #require(tree.sets.indices.first { Tree.setEndpoint($0) == open.to })
        tree.bench.inject(open.bytes, from: victim, to: tree.sets[set])
        #expect(tree.sets[set].counters[.rejectedBadCookie] == 1)
        tree.bench.run(for: .seconds(11))
        tree.bench.inject(open.bytes, from: open.from, to: tree.sets[set])
        #expect(tree.sets[set].counters[.rejectedBadCookie] == 2)
        #expect(!tree.bench.sent.contains { $0.to == victim })
    }

    @Test("A replayed control message is refused and changes nothing")
    func replayedControl() throws {
        var tree = try running()
        let parent = try #require(tree.parent)
        let set = try #require(tree.sets.indices.first { Tree.setEndpoint($0) == parent })
        let control = tree.bench.sent.filter { $0.type == 0x20 && $0.from == Tree.edgeEndpoint && $0.to == parent }
        for datagram in control { tree.bench.inject(datagram.bytes, from: datagram.from, to: tree.sets[set]) }
        #expect(tree.sets[set].counters[.rejectedReplayed] == UInt64(control.count))
        let elsewhere = try #require(control.first)
        tree.bench.inject(elsewhere.bytes, from: victim, to: tree.sets[set])
        #expect(tree.sets[set].counters[.rejectedWrongAddress] == 1)
        var changed = elsewhere.bytes
        changed[20] ^= 1
        tree.bench.inject(changed, from: elsewhere.from, to: tree.sets[set])
        #expect(tree.sets[set].counters[.rejectedBadMAC] == 1)
        tree.stream(for: .seconds(1))
        #expect(tree.isGapless)
    }

    @Test("A replayed Open that is older than a link does not end the link")
    func replayedOpen() throws {
        var tree = try #require(Tree(sets: 1))
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .milliseconds(500))
        let old = try #require(tree.bench.sent.first { $0.type == 0x12 && $0.from == Tree.edgeEndpoint })
        // The edge restarts at the same address and opens a second link.
        tree.bench.remove(tree.edge)
        let sink = Bench.Sink()
        let edge = tree.bench.add("edge", .edge, 100, region: RegionID(1283), sink: sink)
        edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .milliseconds(500))
        tree.bench.inject(old.bytes, from: old.from, to: tree.sets[0])
        tree.stream(for: .milliseconds(500))
        #expect(edge.counters[.linksDied] == 0)
        #expect(sink.lost == 0)
        #expect(sink.payloads.count > 150)
    }

    @Test("Forged data from the right address is refused if its token is unknown, or if only its seal is wrong")
    func forgedData() throws {
        var tree = try running()
        let packet = try #require(tree.bench.data(to: Tree.edgeEndpoint).last)
        var unknownToken = packet.bytes
        unknownToken[5] ^= 1
        tree.bench.inject(unknownToken, from: packet.from, to: tree.edge)
        #expect(tree.edge.counters[.rejectedUnknownToken] == 1)
        for place in [20, 25, 30, 40, packet.bytes.count - 1] {
            var forged = packet.bytes
            forged[place] ^= 0x10
            tree.bench.inject(forged, from: packet.from, to: tree.edge)
        }
        let rejected = [RelayCounter.rejectedBadSeal, .rejectedUnknownIncarnation, .rejectedMalformed]
        #expect(rejected.reduce(0) { $0 + tree.edge.counters[$1] } == 5)
        #expect(tree.edge.counters[.rejectedBadSeal] >= 3)
        tree.bench.inject(packet.bytes, from: victim, to: tree.edge)
        #expect(tree.edge.counters[.rejectedWrongAddress] == 1)
        tree.stream(for: .seconds(1))
        #expect(tree.isGapless)
        #expect(tree.sink.lost == 0)
    }

    @Test("Random and mutated datagrams are counted by reason and open nothing")
    func noise() throws {
        let tree = try running()
        var random = SeededGenerator(seed: 4)
        let known = tree.bench.sent
        let rejects = RelayCounter.allCases.filter { $0.name.hasPrefix("rejected") || $0 == .duplicates }
        let before = rejects.reduce(0) { $0 + tree.sets[0].counters[$1] }
        for _ in 0..<5_000 {
            var bytes = known[Int(random.next() % UInt64(known.count))].bytes
            for _ in 0...random.next() % 4 {
                bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(random.next() & 255)
            }
            bytes.withUnsafeBytes { tree.sets[0].receive($0, from: victim, at: tree.bench.now) }
        }
        let after = rejects.reduce(0) { $0 + tree.sets[0].counters[$1] }
        #expect(after - before > 4_900)
        #expect(tree.sets[0].snapshot.childLinks <= 3)
        #expect(tree.bench.data(to: victim).isEmpty)
    }
}
