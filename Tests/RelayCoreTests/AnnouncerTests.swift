import ReflectorModel
import RelayWire
import Testing

@testable import RelayCore

@Suite("Who may announce a stream")
struct AnnouncerTests {
    private static let stranger = Bench.endpoint(50)

    /// Adds a certified entrypoint that announces the tree's stream to the tree's set reflector.
    private func addAnnouncer(_ name: String, to tree: Tree) throws -> RelayNode {
        tree.bench.answers[.announceTargets(host: name)] = .records(
            LookUpAnswer(
                hosts: [ResolvedHost(name: "set-0", endpoint: Tree.setEndpoint(0), priority: 0, weight: 1)],
                ttlSeconds: 20))
        let node = tree.bench.add(name, .entrypoint, 50)
        try #require(node.provide(tree.stream, at: tree.bench.now))
        tree.bench.run(for: .milliseconds(300))
        return node
    }

    private func run(_ tree: inout Tree, with other: RelayNode, for span: TimeSpan) {
        for _ in 0..<span.milliseconds / 10 {
            withUnsafeBytes(of: UInt64(0)) { other.ingest($0, stream: tree.stream, at: tree.bench.now) }
            tree.stream(for: .milliseconds(10))
        }
    }

    @Test("An announcement counts only if name and address are those of a candidate", arguments: ["mallory", "ep"])
    func stranger(name: String) throws {
        var tree = try #require(Tree(sets: 1))
        let stranger = try addAnnouncer(name, to: tree)
        tree.edge.want(tree.stream, at: tree.bench.now)
        run(&tree, with: stranger, for: .seconds(2))
        #expect(tree.isGapless)
        #expect(tree.numbers.count > 100)
        #expect(!tree.numbers.contains(0))
        #expect(tree.sets[0].counters[.announcementsRefused] == 1)
        #expect(
            tree.bench.alarms.contains(.announcementRefused(tree.stream, by: name, Self.stranger)),
            "\(tree.bench.alarms)")
    }

    @Test("Without name servers the candidates are those of the last good answer")
    func lastGoodAnswer() throws {
        var tree = try #require(Tree(sets: 1))
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(1))
        let stream = tree.stream
        let zone = tree.bench.answers[.candidates(stream)]
        tree.bench.lies = { who, name in who == Self.stranger && name == .candidates(stream) ? zone : nil }
        tree.bench.answers = tree.bench.answers.mapValues { _ in .failed(.timedOut) }
        tree.stream(for: .seconds(25))
        let stranger = try addAnnouncer("mallory", to: tree)
        run(&tree, with: stranger, for: .seconds(2))
        #expect(tree.isGapless)
        #expect(!tree.numbers.contains(0))
        #expect(tree.sets[0].counters[.announcementsRefused] == 1)
    }

    @Test("If no name server ever answered, the announcement alone counts, and data flows")
    func neverAnswered() throws {
        var tree = try #require(Tree(sets: 1))
        let silent = Tree.setEndpoint(0)
        tree.bench.lies = { who, _ in who == silent ? .failed(.timedOut) : nil }
        tree.bench.answers[.announceTargets(host: "ep")] = .records(
            LookUpAnswer(
                hosts: [ResolvedHost(name: "set-0", endpoint: silent, priority: 0, weight: 1)], ttlSeconds: 20))
        tree.stream(for: .milliseconds(300))
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(1))
        #expect(!tree.numbers.isEmpty)
        #expect(tree.isGapless)
        #expect(tree.sets[0].counters[.announcementsUnconfirmed] > 0)
        // Then the zone says that another host is the candidate.
        #expect(tree.sets[0].snapshot.paths.map(\.isUnconfirmed) == [true])
        let other = ResolvedHost(name: "other", endpoint: Bench.endpoint(99), priority: 0, weight: 1)
        let answer = LookUpAnswer(hosts: [other], ttlSeconds: 20, serial: 1, portset: PortsetID(4096))
        let stream = tree.stream
        tree.bench.lies = { who, name in who == silent && name == .candidates(stream) ? .records(answer) : nil }
        tree.stream(for: .seconds(30))
        #expect(!tree.sets[0].snapshot.paths.contains { $0.parent != other.endpoint })
        #expect(tree.sets[0].counters[.announcementsRefused] > 0)
    }

    private func page(_ number: UInt16, of pages: UInt16, version: UInt64 = 1, names: Range<Int>) throws -> Announce {
        let entries = try names.map { name in
            Announce.Entry(
                stream: try #require(StreamName("live/n\(name)")), portset: PortsetID(1),
                incarnation: Incarnation(high: 1, low: UInt64(name)))
        }
        return Announce(PageHeader(version: version, page: number, pages: pages), entries: entries)
    }

    @Test("A list with missing pages is dropped, and a list that does not fit leaves the previous one unchanged")
    func listBounds() throws {
        let source = NodeID(name: "ep")
        var list = AnnouncementList()
        let whole = try page(0, of: 1, names: 0..<3)
        #expect(did(&list) { $0.take(whole, source: source, room: 5, at: instant(0)) } == .replaced)
        let first = try page(0, of: 2, version: 2, names: 0..<2)
        #expect(did(&list) { $0.take(first, source: source, room: 2, at: instant(0)) } == .incomplete)
        #expect(list.held == 5)
        #expect(!did(&list) { $0.expire(after: .seconds(10), at: instant(9_999)) })
        #expect(did(&list) { $0.expire(after: .seconds(10), at: instant(10_000)) })
        #expect(list.held == 3)
        let large = try page(0, of: 1, version: 3, names: 0..<4)
        #expect(did(&list) { $0.take(large, source: source, room: 3, at: instant(11_000)) } == .full)
        #expect(list.count == 3)
        #expect(list.pullNotBefore == instant(16_000))
    }

    @Test("All announcements never exceed the table's size, and lists that do not fit cause no flood of requests")
    func nodeBound() throws {
        let tree = try #require(
            Tree(sets: 1) {
                $0.announcementsMax = 64
                $0.announcementsPerLinkMax = 40
            })
        var strangers: [RelayNode] = []
        for number in 0..<3 {
            let name = "mallory-\(number)"
            tree.bench.answers[.announceTargets(host: name)] = .records(
                LookUpAnswer(
                    hosts: [ResolvedHost(name: "set-0", endpoint: Tree.setEndpoint(0), priority: 0, weight: 1)],
                    ttlSeconds: 20))
            let node = tree.bench.add(name, .entrypoint, UInt32(50 + number))
            for stream in 0..<60 {
                let name = try #require(StreamName("live/m\(number)-\(stream)"))
                tree.bench.answers[.candidates(name)] = tree.bench.answers[.candidates(tree.stream)]
                #expect(node.provide(name, at: tree.bench.now))
            }
            strangers.append(node)
        }
        tree.bench.run(for: .seconds(12))
        let held = tree.sets[0].core.links.children.all.reduce(0) { $0 + ($1.announcements?.held ?? 0) }
        #expect(held <= 64)
        #expect(tree.sets[0].core.links.children.all.allSatisfy { ($0.announcements?.count ?? 0) <= 40 })
        #expect(tree.sets[0].counters[.droppedAnnouncementsFull] > 0)
        // Lists that do not fit cause no flood of requests.
        #expect(tree.sets[0].counters[.controlSent] < 1_000)
    }
}

@Suite("Which portset a stream has")
struct PortsetClaimTests {
    @Test("A wrong portset that the first child claims does not apply to the others: the zone decides the portset")
    func firstClaim() throws {
        var tree = try #require(Tree(sets: 2))
        // There is a transit chain for the portset of the stream, and none for the claimed one.
        tree.bench.answers[.parents(.first, RegionID(9_000), PortsetID(7))] = .records(
            LookUpAnswer(
                hosts: [ResolvedHost(name: "set-1", endpoint: Tree.setEndpoint(1), priority: 0, weight: 1)],
                ttlSeconds: 20))
        let zone = tree.bench.answers[.candidates(tree.stream)]
        let parents = tree.bench.answers[.parents(.first, RegionID(1283), PortsetID(7))]
        let eve = Bench.endpoint(120)
        let hostile = tree.bench.add("eve", .edge, 120, region: RegionID(1283), sink: Bench.Sink())
        tree.bench.lies = { who, name in
            guard who == eve, let zone, case .records(var answer) = zone else { return nil }
            if case .parents(.first, _, PortsetID(99)) = name { return parents }
            guard case .candidates = name else { return nil }
            answer.portset = PortsetID(99)
            return .records(answer)
        }
        hostile.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(1))
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(2))
        #expect(tree.isGapless)
        #expect(tree.numbers.count > 300)
        let paths = tree.sets[0].snapshot.paths
        #expect(paths.map(\.parent) == [Tree.setEndpoint(1)])
        #expect(tree.sets[0].counters[.portsetsCorrected] >= 1)
        #expect(
            tree.bench.alarms.contains(
                .portsetCorrected(
                    tree.stream, claimed: PortsetID(99), zone: PortsetID(7), by: "eve", eve)))
    }

    @Test("While no name server answers, the portset that most children claim is a hint, until the zone answers")
    func hint() throws {
        var tree = try #require(Tree(sets: 1))
        let silent = Tree.setEndpoint(0)
        tree.bench.lies = { who, _ in who == silent ? .failed(.timedOut) : nil }
        tree.bench.answers[.announceTargets(host: "ep")] = .records(
            LookUpAnswer(
                hosts: [ResolvedHost(name: "set-0", endpoint: silent, priority: 0, weight: 1)], ttlSeconds: 20))
        tree.stream(for: .milliseconds(300))
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(1))
        let stream = try #require(tree.sets[0].core.streams.all.first)
        #expect(stream.portset == PortsetID(7))
        #expect(stream.isPortsetHint)
        tree.bench.lies = { _, _ in nil }
        tree.stream(for: .seconds(10))
        #expect(!stream.isPortsetHint)
        #expect(tree.isGapless)
    }
}
