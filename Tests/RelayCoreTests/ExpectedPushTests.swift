import ReflectorModel
import Testing

@testable import RelayCore

@Suite("Encoders that want to push to a standby")
struct ExpectedPushTests {
    @Test("An entrypoint that expects a push learns from the witnesses who leads the stream, and provides nothing")
    func learns() throws {
        var tree = try #require(Tree(sets: 1))
        let answer = LookUpAnswer(
            hosts: [
                ResolvedHost(name: "ep", endpoint: Tree.entrypointEndpoint, priority: 0, weight: 1),
                ResolvedHost(name: "ep-2", endpoint: Bench.endpoint(50), priority: 1, weight: 1),
            ], ttlSeconds: 20, serial: 1, portset: PortsetID(7))
        tree.bench.answers[.candidates(tree.stream)] = .records(answer)
        for name in ["ep", "ep-2"] {
            tree.bench.answers[.announceTargets(host: name)] = .records(
                LookUpAnswer(
                    hosts: [ResolvedHost(name: "set-0", endpoint: Tree.setEndpoint(0), priority: 0, weight: 1)],
                    ttlSeconds: 20))
        }
        let standby = tree.bench.add("ep-2", .entrypoint, 50)
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(2))
        func leadership() -> Leadership { standby.leadership(of: tree.stream, in: answer, at: tree.bench.now) }
        #expect(leadership() == Leadership(isLeader: true, leader: nil, rank: 2))

        #expect(standby.expectPush(of: tree.stream, answer, at: tree.bench.now))
        #expect(!standby.expectPush(of: tree.stream, answer, at: tree.bench.now))
        tree.stream(for: .milliseconds(400))
        #expect(leadership() == Leadership(isLeader: false, leader: "ep", rank: 2))
        #expect(tree.isGapless)

        standby.withdrawPush(of: tree.stream, at: tree.bench.now)
        tree.stream(for: .milliseconds(400))
        #expect(leadership().leader == nil)
        #expect(standby.expectPush(of: tree.stream, answer, at: tree.bench.now))
    }
}
