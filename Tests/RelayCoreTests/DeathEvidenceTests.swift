import ReflectorModel
import RelayWire
import Testing

@testable import ReflectorSimulation
@testable import RelayCore

@Suite("Evidence of a dead process: the state machine")
struct DeathEvidenceTests {
    private let patience = TimeSpan.milliseconds(50)
    private let heard = instant(1_000)

    @Test("A refusal, and two refused questions without an answer, mean death once the patience is over")
    func death() {
        var evidence = DeathEvidence()
        #expect(did(&evidence) { $0.noteRefusal(heardAt: heard, patience: patience, at: instant(1_010)) } == .ask)
        #expect(evidence.nextStep == nil)
        #expect(did(&evidence) { $0.noteRefusal(heardAt: heard, patience: patience, at: instant(1_011)) } == .nothing)
        #expect(evidence.nextStep == instant(1_035))
        #expect(did(&evidence) { $0.step(heardAt: heard, at: instant(1_034)) } == .nothing)
        #expect(did(&evidence) { $0.step(heardAt: heard, at: instant(1_035)) } == .ask)
        #expect(did(&evidence) { $0.noteRefusal(heardAt: heard, patience: patience, at: instant(1_036)) } == .nothing)
        #expect(did(&evidence) { $0.step(heardAt: heard, at: instant(1_059)) } == .nothing)
        #expect(evidence.nextStep == instant(1_060))
        #expect(did(&evidence) { $0.step(heardAt: heard, at: instant(1_060)) } == .dead)
    }

    @Test("A question asked because of silence is the first of the two")
    func silence() {
        var evidence = DeathEvidence()
        #expect(did(&evidence) { $0.noteSilence(heardAt: heard, patience: patience, at: instant(1_150)) } == .ask)
        #expect(did(&evidence) { $0.noteSilence(heardAt: heard, patience: patience, at: instant(1_160)) } == .nothing)
        #expect(did(&evidence) { $0.noteRefusal(heardAt: heard, patience: patience, at: instant(1_190)) } == .ask)
        #expect(did(&evidence) { $0.noteRefusal(heardAt: heard, patience: patience, at: instant(1_230)) } == .dead)
    }

    @Test("Refusals that nobody answers with a second refusal of a question are no death, however many come at once")
    func burst() {
        var evidence = DeathEvidence()
        for _ in 0..<1_000 {
            let step = did(&evidence) { $0.noteRefusal(heardAt: heard, patience: patience, at: instant(1_010)) }
            #expect(step != .dead)
        }
        #expect(evidence.nextStep == instant(1_035))
    }

    @Test("An answer ends the doubt; refusals are then ignored for 1 s, and twice as long after each further answer")
    func trust() {
        var evidence = DeathEvidence()
        var now: Int64 = 2_000
        for seconds in [Int64(1), 2, 4, 8, 16, 32, 64, 64] {
            let asked = did(&evidence) {
                $0.noteRefusal(heardAt: instant(now - 1), patience: patience, at: instant(now))
            }
            #expect(asked == .ask)
            #expect(did(&evidence) { $0.step(heardAt: instant(now + 5), at: instant(now + 10)) } == .nothing)
            #expect(did(&evidence) { $0.takeRefuted() } && !did(&evidence) { $0.takeRefuted() })
            let end = now + 10 + seconds * 1_000
            #expect(
                did(&evidence) {
                    $0.noteRefusal(heardAt: instant(now + 5), patience: patience, at: instant(end - 1))
                } == nil)
            now = end
        }
    }

    @Test("A doubt to which no refusal belongs ends by itself, and costs no trust")
    func forgotten() {
        var evidence = DeathEvidence()
        _ = evidence.noteSilence(heardAt: heard, patience: patience, at: instant(1_150))
        #expect(did(&evidence) { $0.noteRefusal(heardAt: heard, patience: patience, at: instant(1_350)) } == .ask)
        #expect(evidence.nextStep == nil)
        var silent = DeathEvidence()
        _ = silent.noteSilence(heardAt: heard, patience: patience, at: instant(1_150))
        #expect(did(&silent) { $0.step(heardAt: instant(1_160), at: instant(1_170)) } == .nothing)
        #expect(!did(&silent) { $0.takeRefuted() })
        #expect(
            did(&silent) { $0.noteRefusal(heardAt: instant(1_160), patience: patience, at: instant(1_171)) } == .ask)
    }

    @Test("The token of a quoted datagram is read from control messages and data, and from nothing else")
    func quotation() {
        func token(_ bytes: [UInt8]) -> UInt64? { bytes.withUnsafeBytes { QuotedDatagram.token($0) } }
        let tail: [UInt8] = [0, 1, 2, 3, 4, 5, 6, 7, 8]
        for type: UInt8 in [0x20, 0x30, 0x31] { #expect(token([type] + tail) == 0x0102_0304_0506_0708) }
        for type: UInt8 in [0, 0x10, 0x11, 0x12, 0x13, 0x14, 0x32, 0xff] { #expect(token([type] + tail) == nil) }
        #expect(token([0x20] + tail.dropLast()) == nil)
        #expect(token([0x20, 1] + tail.dropFirst()) == nil)
        #expect(token([]) == nil)
    }
}

@Suite("Evidence of a dead process: nodes")
struct DeadProcessTests {
    /// A tree in which the edge's parent is dead or alive, with what the edge last sent to it.
    private func running(sets: Int = 2) throws -> Tree {
        var tree = try #require(Tree(sets: sets))
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(3))
        #expect(tree.parent == Tree.setEndpoint(0))
        return tree
    }

    private func lastQuoted(_ bench: Bench, from: Endpoint, to: Endpoint) throws -> [UInt8] {
        let sent = bench.sent.last { $0.from == from && $0.to == to && $0.type == 0x20 }
        return Array(try #require(sent).bytes.prefix(64))
    }

    private func refuse(_ quoted: [UInt8], by endpoint: Endpoint, to node: RelayNode, _ bench: Bench) {
        quoted.withUnsafeBytes { node.portUnreachable(endpoint, quoted: $0, at: bench.now) }
    }

    /// How long the edge delivers nothing after the end of its parent.
    private func gap(killing: (Bench, RelayNode) -> Void) throws -> TimeSpan {
        var tree = try running()
        killing(tree.bench, tree.sets[0])
        let died = tree.bench.now
        for _ in 0..<200 {
            tree.stream(for: .milliseconds(5))
            if tree.parent == Tree.setEndpoint(1) { break }
        }
        #expect(tree.parent == Tree.setEndpoint(1))
        let span = tree.bench.now - died
        tree.stream(for: .seconds(1))
        #expect(tree.isGapless && tree.sink.lost == 0)
        return span
    }

    @Test("A child leaves a killed parent for another one in 150 to 260 ms, and one whose host is gone after 300 ms")
    func failover() throws {
        let killed = try gap { $0.kill($1) }
        let gone = try gap { $0.remove($1) }
        #expect(killed >= .milliseconds(150) && killed <= .milliseconds(260), "\(killed)")
        #expect(gone >= .milliseconds(290) && gone <= .milliseconds(400), "\(gone)")
    }

    @Test("Forged refusals with the right token never end a link whose parent answers, even an idle one")
    func forged() throws {
        var tree = try running()
        let quoted = try lastQuoted(tree.bench, from: Tree.edgeEndpoint, to: Tree.setEndpoint(0))
        let before = tree.edge.counters
        for _ in 0..<6_000 {
            for _ in 0..<5 { refuse(quoted, by: Tree.setEndpoint(0), to: tree.edge, tree.bench) }
            tree.bench.run(for: .milliseconds(1))
        }
        let counters = tree.edge.counters
        #expect(counters[.portsUnreachable] == 30_000)
        #expect(counters[.linksDied] == before[.linksDied] && counters[.deathsByRefusal] == 0)
        #expect(counters[.deathsRefuted] == 3 && counters[.portsUnreachableIgnored] > 29_000)
        #expect(counters[.deathQuestionsSent] - before[.deathQuestionsSent] <= 6)
        tree.stream(for: .seconds(1))
        #expect(tree.parent == Tree.setEndpoint(0) && tree.isGapless)
    }

    @Test("Refusals of datagrams that the node did not send there are counted and have no effect")
    func foreign() throws {
        let tree = try running()
        let quoted = try lastQuoted(tree.bench, from: Tree.edgeEndpoint, to: Tree.setEndpoint(0))
        var otherToken = quoted
        otherToken[9] ^= 1
        let before = tree.edge.counters[.deathQuestionsSent]
        refuse(otherToken, by: Tree.setEndpoint(0), to: tree.edge, tree.bench)
        refuse(Array(quoted.prefix(9)), by: Tree.setEndpoint(0), to: tree.edge, tree.bench)
        refuse([], by: Tree.setEndpoint(0), to: tree.edge, tree.bench)
        refuse(quoted, by: Tree.setEndpoint(1), to: tree.edge, tree.bench)
        refuse(quoted, by: Bench.endpoint(77), to: tree.edge, tree.bench)
        #expect(tree.edge.counters[.portsUnreachableUnknown] == 5 && tree.edge.counters[.portsUnreachable] == 0)
        #expect(tree.edge.counters[.deathQuestionsSent] == before)
    }

    @Test("A parent answers a repeated nonce with a heartbeat at once, at most one in 20 ms")
    func signOfLife() throws {
        let tree = try running()
        let quoted = try lastQuoted(tree.bench, from: Tree.edgeEndpoint, to: Tree.setEndpoint(0))
        let before = tree.edge.counters[.heartbeatsReceived]
        refuse(quoted, by: Tree.setEndpoint(0), to: tree.edge, tree.bench)
        tree.bench.run(for: .milliseconds(11))
        #expect(tree.edge.counters[.heartbeatsReceived] == before + 1)
        #expect(tree.edge.counters[.deathsRefuted] == 0)
        refuse(quoted, by: Tree.setEndpoint(0), to: tree.edge, tree.bench)
        #expect(tree.edge.counters[.deathsRefuted] == 1 && tree.edge.counters[.portsUnreachableIgnored] == 1)
    }
}
