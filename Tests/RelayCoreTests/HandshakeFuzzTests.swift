import Foundation
import NodeIdentity
import ReflectorModel
import RelayWire
import Testing

@testable import ReflectorSimulation
@testable import RelayCore

/// Children with certificates of every kind send handshake messages in any order to a set reflector that serves an
/// honest edge: right ones, changed ones, mixed ones, repeated ones, from any address, and renewals with any token.
///
/// `HANDSHAKE_FUZZ_STEPS` sets the number of steps of each seed, `HANDSHAKE_FUZZ_SEED` the first seed.
@Suite("Fuzzing of the handshake")
struct HandshakeFuzzTests {
    private static func environment(_ name: String, or value: UInt64) -> UInt64 {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) } ?? value
    }

    private static let steps = environment("HANDSHAKE_FUZZ_STEPS", or: 4_000)
    private static let seed = environment("HANDSHAKE_FUZZ_SEED", or: 1)

    @Test("An Open of a valid child that is changed in any byte, or cut anywhere, opens no link and is counted")
    func everyByte() throws {
        var tree = try #require(Tree(sets: 1))
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(1))
        let set = tree.sets[0]
        var world = HandshakeWorld(tree, seed: 1)
        world.greet(world.children[0], renewing: 0)
        let open = try #require(world.opens.first)
        let rejects = RelayCounter.allCases.filter { $0.name.hasPrefix("rejected") }
        func rejected() -> UInt64 { rejects.reduce(0) { $0 + set.counters[$1] } }
        for place in open.bytes.indices {
            for bytes in [open.bytes.with(place, xor: UInt8(1 + place % 255)), Array(open.bytes[..<place])] {
                let before = rejected()
                tree.bench.inject(bytes, from: open.from, to: set)
                tree.bench.run(for: .milliseconds(1))
                #expect(rejected() == before + 1, "byte \(place)")
                #expect(set.snapshot.childLinks == 1)
            }
        }
        tree.bench.inject(open.bytes, from: open.from, to: set)
        tree.bench.run(for: .milliseconds(1))
        #expect(set.snapshot.childLinks == 2)
        tree.stream(for: .milliseconds(100))
        #expect(tree.isGapless && tree.sink.lost == 0)
    }

    @Test(
        "No link without a valid certificate, nothing is dropped without being counted, and every table stays small",
        arguments: seed..<seed + 4)
    func sequences(seed: UInt64) throws {
        var tree = try #require(Tree(sets: 1))
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(1))
        let set = tree.sets[0]
        let keys = set.keyCount
        var world = HandshakeWorld(tree, seed: seed)
        for step in 0..<Self.steps {
            world.step()
            try #require(world.faults.isEmpty, "seed \(seed), step \(step): \(world.faults)")
            if step.isMultiple(of: 16) { tree.stream(for: .milliseconds(5)) }
            if step.isMultiple(of: 256) { tree.bench.forgetSent() }
        }
        // The run was neither too harsh nor too mild.
        #expect(set.counters[.linksOpened] > 20)
        #expect(set.counters[.linksRenewed] > 0)
        for counter in [
            RelayCounter.rejectedBadCookie, .rejectedHandshake, .rejectedMalformed, .rejectedUnexpected,
            .certificatesExpired, .certificatesEarly, .certificatesRevoked, .certificatesUntrusted, .linksRefused,
        ] { #expect(set.counters[counter] > 0, "\(counter.name)") }
        // When all is over, only the honest edge's link is left, and nothing leaks.
        tree.stream(for: .seconds(20))
        #expect(set.snapshot.childLinks == 1 && set.linkKeeper.opensWaiting == 0)
        #expect(set.keyCount == keys)
        #expect(tree.isGapless && tree.sink.lost == 0 && tree.edge.counters[.linksDied] == 0)
        let peer = HostilePeer("late", .edge, at: Bench.endpoint(500), of: set, tree.bench)
        #expect(peer.open())
    }
}

/// The children, what they have sent and received, and what must hold.
private struct HandshakeWorld {
    final class Child {
        let name: String
        let isValid: Bool
        let endpoints: [Endpoint]
        let crypto: SimulatedCrypto
        let identity: NodeHandshakes<SimulatedIdentityCrypto>
        var openings: [(opening: any LinkOpening, endpoint: Endpoint)] = []
        /// The newest links that the node has granted.
        var links: [(link: OpenedLink, endpoint: Endpoint)] = []

        init(_ identity: SimulatedIdentity, isValid: Bool, number: UInt32, _ now: MonotonicInstant, key: UInt64) {
            name = identity.certificate.content.name
            self.isValid = isValid
            endpoints = (0..<2).map { Bench.endpoint(200 + 2 * number + $0) }
            crypto = SimulatedCrypto(operatorKey: key, seed: UInt64(number) + 1_000)
            self.identity = crypto.handshakes(identity, at: now)
        }
    }

    struct Message {
        var from: Endpoint
        var bytes: [UInt8]
    }

    private let bench: Bench
    private let set: RelayNode
    private(set) var children: [Child] = []
    /// What children could send: their Hellos and Opens; and what the node has sent.
    private var hellos: [Message] = []
    private(set) var opens: [Message] = []
    private var answers: [Message] = []
    private var random: SeededGenerator
    private var seen = 0
    private(set) var faults: [String] = []

    init(_ tree: Tree, seed: UInt64) {
        bench = tree.bench
        set = tree.sets[0]
        random = SeededGenerator(seed: seed)
        let (key, start, region) = (Bench.operatorKey, SimulatedIdentity.start, CertifiedRegion.edge(RegionID(1283)))
        let revoked = SimulatedIdentity(name: "revoked", .edge, region, operatorKey: key, serial: 31)
        let all: [(SimulatedIdentity, Bool)] = [
            (SimulatedIdentity(name: "valid-1", .edge, region, operatorKey: key), true),
            (SimulatedIdentity(name: "valid-2", .edge, region, operatorKey: key), true),
            (SimulatedIdentity(name: "valid-3", .entrypoint, operatorKey: key), true),
            (SimulatedIdentity(name: "valid-4", .nameServer, operatorKey: key), true),
            (SimulatedIdentity(name: "expired", .edge, region, operatorKey: key, notAfter: start), false),
            (SimulatedIdentity(name: "early", .set, operatorKey: key, notBefore: start * 2 - 9), false),
            (revoked, false),
            (SimulatedIdentity(name: "foreign", .edge, region, operatorKey: 1), false),
            (SimulatedIdentity(name: "set-0", .set, operatorKey: key), false),
        ]
        for (number, (identity, isValid)) in all.enumerated() {
            children.append(Child(identity, isValid: isValid, number: UInt32(number), bench.now, key: key))
        }
        if let list = try? SimulatedIdentity.revocations(of: [31], sequence: 1, operatorKey: key) {
            _ = set.identity.take(list)
        }
        seen = bench.sent.count
    }

    mutating func step() {
        switch random.next(below: 16) {
        case 0, 1: greet(random.pick(children), renewing: renewedToken())
        case 2: renewOwn()
        case 3, 4, 5: if let open = pick(opens) { send(open) }
        case 6: if let open = pick(opens) { send(Message(from: anyEndpoint(), bytes: open.bytes)) }
        case 7, 8: if let message = pick(opens + hellos.suffix(8)) { send(mutated(message)) }
        case 9: mixOpens()
        case 10: if let message = pick(answers) { send(Message(from: anyEndpoint(), bytes: message.bytes)) }
        case 11: if let message = pick(answers) { send(mutated(message)) }
        case 12, 13: useLink()
        case 14: run(for: .milliseconds(Int64(random.next(below: 50))))
        default:
            let isLong = random.chance(0.02)
            run(for: .milliseconds(Int64(random.next(below: isLong ? 12_000 : 4))))
        }
        check()
    }

    /// Begins a handshake, and notes the Open that follows from the answer.
    mutating func greet(_ child: Child, renewing token: UInt64, from place: Endpoint? = nil) {
        let nonce = Nonce((0..<16).map { _ in UInt8(truncatingIfNeeded: random.next()) })!
        // Now and then, for another node.
        let target = random.chance(0.1) ? NodeID(name: "set-9") : set.id
        let opening = child.identity.begin(
            to: target, nonce: nonce, LinkRequest(childToken: random.next() | 1, renewedToken: token))
        let endpoint = place ?? random.pick(child.endpoints)
        child.openings.append((opening, endpoint))
        if child.openings.count > 8 { child.openings.removeFirst() }
        let hello = Message(from: endpoint, bytes: HandshakeMessage.hello(opening.hello).bytes)
        hellos.append(hello)
        send(hello)
    }

    // MARK: Steps

    /// A child renews its newest link as an honest one does.
    private mutating func renewOwn() {
        let child = random.pick(children)
        guard let (link, endpoint) = child.links.last else { return }
        greet(child, renewing: link.grant.parentToken, from: endpoint)
        if let open = opens.last { send(open) }
    }

    private mutating func renewedToken() -> UInt64 {
        let tokens = children.flatMap { $0.links.map(\.link.grant.parentToken) }
        return random.chance(0.4) ? 0 : random.chance(0.2) || tokens.isEmpty ? random.next() : random.pick(tokens)
    }

    private mutating func anyEndpoint() -> Endpoint {
        let child = random.pick(children)
        return random.pick(child.endpoints)
    }

    private mutating func pick(_ all: [Message]) -> Message? {
        all.isEmpty ? nil : random.chance(0.7) ? random.pick(Array(all.suffix(6))) : random.pick(all)
    }

    private mutating func mutated(_ message: Message) -> Message {
        var bytes = message.bytes
        for _ in 0...random.next(below: 3) where !bytes.isEmpty {
            let place = Int(random.next(below: UInt64(bytes.count)))
            switch random.next(below: 5) {
            case 0: bytes.removeLast(bytes.count - place)
            case 1: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
            case 2: bytes.append(UInt8(truncatingIfNeeded: random.next()))
            default: bytes[place] = UInt8(truncatingIfNeeded: random.next())
            }
        }
        return Message(from: message.from, bytes: bytes)
    }

    /// An Open that consists of parts of two.
    private mutating func mixOpens() {
        guard let one = pick(opens), let two = pick(opens), case .open(var a)? = decode(one.bytes),
            case .open(let b)? = decode(two.bytes)
        else { return }
        if random.chance(0.3) { a.nonce = b.nonce }
        if random.chance(0.3) { a.cookie = b.cookie }
        if random.chance(0.3) { a.childKey = b.childKey }
        if random.chance(0.3) { a.sealed = b.sealed }
        send(Message(from: random.chance(0.5) ? one.from : two.from, bytes: HandshakeMessage.open(a).bytes))
    }

    /// A control message on a link, which may be over, or whose keys may be old.
    private mutating func useLink() {
        let child = random.pick(children)
        guard !child.links.isEmpty else { return }
        let (link, endpoint) = random.chance(0.6) ? child.links[child.links.count - 1] : random.pick(child.links)
        let message: RelayMessage = random.chance(0.1) ? .close(.leaving) : .unsubscribe(subscription: 1)
        var bytes = [UInt8](repeating: 0, count: WireLimits.controlLengthMax)
        let counter = random.next(below: 500) + 1
        let length = bytes.withUnsafeMutableBytes { buffer in
            let length = ControlCodec.encode(
                message, token: link.grant.parentToken, counter: counter, into: buffer)
            ControlCodec.finish(
                UnsafeMutableRawBufferPointer(rebasing: buffer[..<length]), key: link.keys.childToParent,
                crypto: child.crypto)
            return length
        }
        send(Message(from: random.chance(0.1) ? anyEndpoint() : endpoint, bytes: Array(bytes[..<length])))
    }

    private mutating func run(for span: TimeSpan) {
        bench.run(for: span)
        learn()
    }

    /// Sends a datagram to the node. It must be answered, wait, count for something, or be counted as dropped.
    private mutating func send(_ message: Message) {
        let (before, waiting, sent) = (counted(), set.linkKeeper.opensWaiting, bench.sent.count)
        bench.inject(message.bytes, from: message.from, to: set)
        let isSilent =
            counted() == before && set.linkKeeper.opensWaiting == waiting
            && !bench.sent[sent...].contains { $0.to == message.from }
        // An Open that waits already takes no second place.
        if isSilent, waiting == 0 || decode(message.bytes).map({ !isOpen($0) }) ?? true {
            faults.append("a datagram of type \(message.bytes.first ?? 0) vanished")
        }
        learn()
    }

    private func isOpen(_ message: HandshakeMessage) -> Bool { if case .open = message { true } else { false } }

    private func counted() -> UInt64 {
        RelayCounter.allCases.reduce(0) { $0 + ($1 == .datagramsReceived ? 0 : set.counters[$1]) }
    }

    private func decode(_ bytes: [UInt8]) -> HandshakeMessage? {
        try? bytes.withUnsafeBytes { try HandshakeCodec.decode($0) }
    }

    /// Reads what the node has sent to the children.
    private mutating func learn() {
        // Less was sent than seen: the test has emptied the list.
        let new = bench.sent[(seen > bench.sent.count ? 0 : seen)...]
        seen = bench.sent.count
        for datagram in new where datagram.type < 0x20 {
            guard let child = children.first(where: { $0.endpoints.contains(datagram.to) }) else { continue }
            answers.append(Message(from: datagram.to, bytes: datagram.bytes))
            guard let message = decode(datagram.bytes) else { continue }
            for (opening, endpoint) in child.openings where endpoint == datagram.to {
                switch message {
                case .cookie(let cookie):
                    guard (try? opening.receive(cookie)) != nil, let open = opening.open else { continue }
                    opens.append(Message(from: endpoint, bytes: HandshakeMessage.open(open).bytes))
                case .opened(let opened):
                    guard let link = try? opening.receive(opened, at: bench.now) else { continue }
                    child.links.append((link, endpoint))
                    if child.links.count > 4 { child.links.removeFirst() }
                    if !child.isValid { faults.append("\(child.name) was let in") }
                default: break
                }
            }
        }
        if opens.count > 200 { opens.removeFirst(100) }
        if answers.count > 200 { answers.removeFirst(100) }
        if hellos.count > 100 { hellos.removeFirst(50) }
    }

    // MARK: What must hold

    private mutating func check() {
        for link in set.core.links.children.all where link.name != "edge" {
            let child = children.first { $0.name == link.name }
            if child?.isValid != true { faults.append("a link of \(link.name)") }
            if child?.endpoints.contains(link.endpoint) != true {
                faults.append("\(link.name) has a link at \(link.endpoint)")
            }
            if link.certificate != child?.identity.own { faults.append("\(link.name) with another certificate") }
        }
        let links = set.core.links.children.count + set.core.links.parents.count
        if links > 2 * children.count + 2 { faults.append("\(links) links") }
        if set.linkKeeper.opensWaiting > OpenQueue.countMax { faults.append("too many Opens wait") }
        // Two sets of three keys for each link, and the streams' keys.
        if set.keyCount > 6 * links + 2 { faults.append("\(set.keyCount) keys for \(links) links") }
    }
}

extension [UInt8] {
    fileprivate func with(_ place: Int, xor bits: UInt8) -> [UInt8] {
        var bytes = self
        bytes[place] ^= bits
        return bytes
    }
}
