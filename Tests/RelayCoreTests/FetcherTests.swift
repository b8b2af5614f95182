import ReflectorModel
import ReflectorSimulation
import RelayWire
import Testing

@testable import RelayCore

/// Tests the fetcher alone, from an answer of the name servers to a Subscribe.
@Suite("Fetcher")
struct FetcherTests {
    private let region = RegionID(1283)
    private let portset = PortsetID(4096)
    private let news = StreamName("news")!

    private struct Bench: ~Copyable {
        var core: NodeCore
        var fetcher: Fetcher

        init(region: RegionID) {
            var configuration = RelayConfiguration(name: "edge", role: .edge)
            configuration.region = region
            let crypto = SimulatedCrypto(operatorKey: 1, seed: 1)
            // The key that `openedLink` names.
            _ = crypto.makeSealKey()
            core = NodeCore(
                configuration: configuration, crypto: crypto, handshakes: crypto.handshakes(for: configuration),
                seed: 1,
                makeMeasurements: nil, now: instant(0))
            fetcher = Fetcher(configuration)
        }

        /// The names that the shell is asked to look up.
        mutating func lookUps() -> [ReflectorName] {
            var names: [ReflectorName] = []
            while let action = core.context.popAction() {
                if case .lookUp(let name) = action { names.append(name) }
            }
            return names
        }

        /// Delivers an answer and lets the fetcher choose paths by it.
        mutating func finish(
            _ name: ReflectorName, _ answer: LookUpAnswer, for stream: StreamState, at now: MonotonicInstant
        ) {
            _ = fetcher.finish(name, .records(answer), at: now, &core)
            fetcher.choosePaths(for: stream, at: now, &core)
        }

        mutating func open(_ link: ParentLink, at now: MonotonicInstant) {
            link.open(openedLink(to: link.peerName), at: now)
            fetcher.linkBecameAlive(link, at: now, &core)
        }
    }

    private func answer(_ hosts: (name: String, address: UInt32)...) -> LookUpAnswer {
        LookUpAnswer(
            hosts: hosts.map {
                ResolvedHost(
                    name: $0.name, endpoint: Endpoint(address: IPAddress(v4: $0.address), port: 4900), priority: 0,
                    weight: 1)
            }, ttlSeconds: 20, serial: 1, portset: portset)
    }

    @Test("Answers to the look-ups lead to a Subscribe")
    func subscribes() throws {
        var bench = Bench(region: region)
        let stream = bench.core.streams.insert(news, countMax: 8)
        bench.fetcher.want(stream, at: instant(0), &bench.core)
        #expect(bench.lookUps() == [.candidates(news)])

        bench.finish(.candidates(news), answer(("e1", 0x0a00_0001)), for: stream, at: instant(5))
        #expect(stream.portset == portset)
        #expect(bench.lookUps() == [.parents(.first, region, portset)])
        #expect(stream.paths.isEmpty)

        bench.finish(.parents(.first, region, portset), answer(("s1", 0x0a00_0011)), for: stream, at: instant(10))
        let path = try #require(stream.paths.all.first)
        #expect(path.candidate.name == "s1")
        #expect(path.state == .joining)
        #expect(bench.core.context.counters[.subscribesSent] == 0)

        bench.open(path.link, at: instant(20))
        #expect(bench.core.context.counters[.subscribesSent] == 1)
        #expect(path.tries == 1)
    }

    @Test("While nothing flows, a parent that is heard takes the place of one that does not even open its link")
    func reachableFirst() throws {
        var bench = Bench(region: region)
        let stream = bench.core.streams.insert(news, countMax: 8)
        bench.fetcher.want(stream, at: instant(0), &bench.core)
        bench.finish(.candidates(news), answer(("e1", 0x0a00_0001)), for: stream, at: instant(5))
        let hosts = (1...5 as ClosedRange<UInt32>).map { (name: "s\($0)", address: 0x0a00_0010 + $0) }
        bench.finish(
            .parents(.first, region, portset), answer(hosts[0], hosts[1], hosts[2], hosts[3], hosts[4]), for: stream,
            at: instant(10))
        for time in [600, 1_200, 1_800] as [Int64] {
            bench.fetcher.choosePaths(for: stream, at: instant(time), &bench.core)
        }
        #expect(stream.paths.all.count == PathPolicy.pathsMax)
        let used = stream.paths.all.map(\.candidate.name)
        let spare = bench.core.links.parents.all.filter { !used.contains($0.peerName) }
        #expect(spare.count == 2, "links to the others are opened meanwhile")
        bench.fetcher.choosePaths(for: stream, at: instant(2_400), &bench.core)
        #expect(stream.paths.all.map(\.candidate.name) == used)
        let heard = try #require(spare.last)
        bench.open(heard, at: instant(2_500))
        bench.fetcher.choosePaths(for: stream, at: instant(3_000), &bench.core)
        #expect(stream.paths.all.map(\.candidate.name) == used.dropFirst() + [heard.peerName])
    }

    @Test("After a refusal the next parent is asked; if all refuse, this is reported")
    func refusals() throws {
        var bench = Bench(region: region)
        let stream = bench.core.streams.insert(news, countMax: 8)
        bench.fetcher.want(stream, at: instant(0), &bench.core)
        bench.finish(.candidates(news), answer(("e1", 0x0a00_0001)), for: stream, at: instant(5))
        bench.finish(
            .parents(.first, region, portset), answer(("s1", 0x0a00_0011), ("s2", 0x0a00_0012)), for: stream,
            at: instant(10))
        var refused: Set<String> = []
        for time in Int64(2)...3 {
            let path = try #require(stream.paths.all.first)
            bench.open(path.link, at: instant(time * 10))
            refused.insert(path.candidate.name)
            let reply = SubscribeReply(subscription: path.subscription, status: .busy, retryAfterMilliseconds: 1_000)
            _ = bench.fetcher.onSubscribeReply(reply, on: path.link, at: instant(time * 10 + 1), &bench.core)
        }
        #expect(refused == ["s1", "s2"])
        #expect(stream.paths.isEmpty)
        #expect(stream.candidates.problem == .parentsFull)
        #expect(stream.times.retryAt == instant(1_031))
    }
}
