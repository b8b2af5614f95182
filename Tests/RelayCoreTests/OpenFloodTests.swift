import NodeIdentity
import ReflectorModel
import ReflectorSimulation
import RelayWire
import Testing

@testable import RelayCore

@Suite("Floods of handshake messages, and the tables that bound them")
struct OpenFloodTests {
    private func running() throws -> Tree {
        var tree = try #require(Tree(sets: 1))
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(1))
        try #require(tree.isGapless && tree.numbers.count > 100)
        return tree
    }

    /// The Opens of one identity with right cookies, each with a nonce of its own.
    private func opens(
        _ count: Int, from endpoint: Endpoint, to set: RelayNode, _ tree: Tree, name: String = "other",
        key: UInt64 = Bench.operatorKey
    ) -> [[UInt8]] {
        let crypto = SimulatedCrypto(operatorKey: key, seed: UInt64(endpoint.port) + endpoint.address.low)
        let identity = crypto.handshakes(
            SimulatedIdentity(name: name, .edge, .edge(RegionID(1283)), operatorKey: key), at: tree.bench.now)
        var random = SeededGenerator(seed: endpoint.address.low)
        return (0..<count).compactMap { _ in
            let nonce = Nonce((0..<16).map { _ in UInt8(truncatingIfNeeded: random.next()) })!
            let opening = identity.begin(
                to: set.id, nonce: nonce, LinkRequest(childToken: random.next() | 1))
            tree.bench.inject(HandshakeMessage.hello(opening.hello).bytes, from: endpoint, to: set)
            for datagram in tree.bench.sent.suffix(3) where datagram.to == endpoint {
                guard case .cookie(let cookie)? = try? datagram.bytes.withUnsafeBytes({ try HandshakeCodec.decode($0) })
                else { continue }
                try? opening.receive(cookie)
            }
            return opening.open.map { HandshakeMessage.open($0).bytes }
        }
    }

    @Test("2,048 Opens wait, 256 of one address; more are dropped and counted, and no packet is late or lost")
    func full() throws {
        var tree = try running()
        let set = tree.sets[0]
        let addresses = (0..<10 as Range<UInt32>).map { Bench.endpoint(200 + $0) }
        // Of an operator whom the node does not know: an attacker with an address and without a certificate.
        let waiting = addresses.map { ($0, opens(300, from: $0, to: set, tree, key: 1)) }
        #expect(waiting.allSatisfy { $0.1.count == 300 })
        tree.stream(for: .milliseconds(100))
        for (address, opens) in waiting {
            for open in opens { tree.bench.inject(open, from: address, to: set) }
        }
        #expect(set.linkKeeper.opensWaiting <= OpenQueue.countMax)
        #expect(set.linkKeeper.opensWaiting > OpenQueue.countMax - 10)
        #expect(set.counters[.droppedOpensFull] >= 3_000 - 2_048 - 10)
        // An honest child comes in among them within the time of one round of the addresses.
        let before = tree.numbers.count
        let peer = HostilePeer("honest", .edge, at: Bench.endpoint(300), of: set, tree.bench)
        tree.stream(for: .milliseconds(200))
        #expect(set.linkKeeper.opensWaiting < OpenQueue.countMax - 200)
        let opening = opens(1, from: peer.endpoint, to: set, tree, name: "honest")
        for open in opening { tree.bench.inject(open, from: peer.endpoint, to: set) }
        tree.stream(for: .milliseconds(20))
        #expect(set.childLink(at: peer.endpoint) != nil)
        tree.stream(for: .seconds(2))
        #expect(set.linkKeeper.opensWaiting == 0)
        #expect(set.counters[.certificatesUntrusted] >= 2_040)
        #expect(tree.isGapless && tree.sink.lost == 0 && tree.numbers.count - before > 430)
        #expect(set.counters[.lateWakeups] == 0)
    }

    @Test("An Open that is repeated while it waits takes no second place")
    func repeated() throws {
        var tree = try running()
        let set = tree.sets[0]
        let all = opens(5, from: Bench.endpoint(200), to: set, tree)
        for _ in 0..<100 {
            for open in all { tree.bench.inject(open, from: Bench.endpoint(200), to: set) }
        }
        #expect(set.linkKeeper.opensWaiting <= 5)
        tree.stream(for: .milliseconds(100))
        #expect(set.linkKeeper.opensWaiting == 0 && set.counters[.droppedOpensFull] == 0)
        #expect(set.snapshot.childLinks == 2)
    }

    @Test("One child gets 32 answers in 10 s; the next Open is dropped and counted, and other children get theirs")
    func answersOfChild() throws {
        var tree = try running()
        let set = tree.sets[0]
        // To the start of an epoch.
        tree.stream(for: .seconds(9) + .milliseconds(100))
        let peer = HostilePeer("greedy", .edge, at: Bench.endpoint(66), of: set, tree.bench)
        for turn in 1...ParentHandshake<SimulatedIdentityCrypto>.answersPerChildMax {
            #expect(peer.open(), "\(turn)")
        }
        #expect(set.counters[.droppedOpensFull] == 0)
        #expect(!peer.open())
        #expect(set.counters[.droppedOpensFull] == 1)
        let elsewhere = HostilePeer("greedy", .edge, at: Bench.endpoint(67), of: set, tree.bench, seed: 2)
        #expect(!elsewhere.open())
        let other = HostilePeer("other", .edge, at: Bench.endpoint(68), of: set, tree.bench, seed: 3)
        #expect(other.open())
        #expect(set.counters[.droppedOpensFull] == 2)
        tree.stream(for: .seconds(21))
        #expect(peer.open())
        #expect(tree.isGapless && tree.sink.lost == 0)
    }

    @Test("20,000 Hellos a second are answered; more are dropped and counted")
    func hellos() throws {
        var tree = try running()
        let set = tree.sets[0]
        tree.bench.forgetSent()
        for number in 0..<25_000 as Range<UInt32> {
            let nonce = Nonce((0..<16).map { UInt8(truncatingIfNeeded: number >> ($0 % 4 * 8)) })!
            tree.bench.inject(
                HandshakeMessage.hello(HelloMessage(nonce: nonce)).bytes, from: Bench.endpoint(1_000 + number % 5_000),
                to: set)
        }
        #expect(set.counters[.droppedHelloFlood] == 5_000)
        #expect(tree.bench.sent.filter { $0.type == 0x11 }.count == 20_000)
        #expect(set.snapshot.childLinks == 1 && set.linkKeeper.opensWaiting == 0)
        tree.stream(for: .seconds(1))
        let hello = HandshakeMessage.hello(HelloMessage(nonce: Nonce(repeatElement(1, count: 16))!)).bytes
        tree.bench.inject(hello, from: Bench.endpoint(66), to: set)
        #expect(set.counters[.droppedHelloFlood] == 5_000)
        #expect(tree.isGapless && tree.sink.lost == 0)
    }
}
