import NodeIdentity
import ReflectorModel
import ReflectorSimulation
import RelayWire
import Testing

@testable import RelayCore

/// The third member of a region has a valid certificate, and does what it likes.
@Suite("A hostile member of a region")
struct HostileMemberTests {
    private static let endpoint = RegionBench.neighbour(2).endpoint

    private func region(_ change: @escaping (inout RelayConfiguration) -> Void = { _ in }) throws -> RegionBench {
        var run = try RegionBench(3, change)
        run.bench.remove(run.edges[2])
        run.run(for: .seconds(1))
        run.want(0, 1)
        run.run(for: .seconds(2))
        return run
    }

    private func peer(of edge: Int, _ run: RegionBench) -> HostilePeer {
        let identity = SimulatedIdentity(
            name: "edge-2", .edge, .edge(RegionBench.region), operatorKey: Bench.operatorKey)
        return HostilePeer(identity, at: Self.endpoint, of: run.edges[edge], run.bench)
    }

    @Test(
        "It sends anything: each message costs a bounded amount of work, and the others lose nothing of what they have")
    func anything() throws {
        var run = try region { $0.lan = .v4 }
        let peer = peer(of: 0, run)
        var messages = HostileMessages(seed: 4_711, streams: [StreamName("live/a")!, StreamName("live/b")!])
        var (most, total, count) = (UInt64(0), UInt64(0), UInt64(0))
        for _ in 0..<500 {
            peer.answer()
            if !peer.isOpen { peer.open() }
            peer.renew()
            for _ in 0..<40 {
                let before = run.edges[0].work
                peer.send(messages.next(peer.leaseNonce))
                (most, total, count) = (
                    max(most, run.edges[0].work - before), total + run.edges[0].work - before, count + 1
                )
            }
            run.bench.forgetSent()
            run.run(for: .milliseconds(20))
        }
        #expect(most < 300_000 && total / count < 3_000, "\(most), \(total / count)")
        #expect(run.edges[0].counters[.regionReportsReceived] > 100)
        run.run(for: .seconds(2))
        let before = run.edges.map { $0.counters[.delivered] }
        run.run(for: .seconds(2))
        for edge in [0, 1] {
            #expect(run.edges[edge].counters[.lost] == 0)
            #expect(run.edges[edge].counters[.delivered] - before[edge] > 90)
        }
    }

    @Test("Versions that go back, pages that never complete and a list that is too long change nothing")
    func lists() throws {
        var run = try region { $0.announcementsPerLinkMax = 100 }
        let peer = peer(of: 0, run)
        #expect(peer.open())
        func send(_ header: PageHeader, _ entries: [RegionReport.Entry]) {
            let page = RegionReport.Page(header, entries: entries)
            peer.send(.regionReport(RegionReport(isLeaving: false, isSettled: true, versionHeld: .max, page: page)))
        }
        let one = RegionReport.Entry(stream: StreamName("live/a")!, isWanted: true)
        let many = (0..<101).compactMap { StreamName("x/\($0)").map { RegionReport.Entry(stream: $0, isWanted: true) } }
        let refused = run.edges[0].counters[.regionReportsRefused]
        for page in RegionReport.pages(version: 9, of: many) {
            peer.send(.regionReport(RegionReport(isLeaving: false, isSettled: true, versionHeld: 0, page: page)))
        }
        #expect(run.edges[0].counters[.regionReportsRefused] > refused)
        #expect(run.edges[0].region?.members.last?.list.streams.count ?? 0 <= 100)
        send(PageHeader(version: .max), [one])
        #expect(run.edges[0].region?.members.last?.list.version == .max)
        send(PageHeader(version: 1), [])
        send(PageHeader(version: .max, base: .max - 1), [.withdrawn(one.stream)])
        send(PageHeader(version: 7, base: 0, page: 3, pages: 65_535), [one])
        #expect(run.edges[0].region?.members.last?.list.streams.contains(one.stream) == true)
        run.run(for: .seconds(1))
        #expect(run.edges[0].counters[.lost] == 0)
    }

    @Test("2,000 reports a second about 8,192 streams: the evaluations are spaced, and what flows goes on")
    func flood() throws {
        var run = try region()
        let peer = peer(of: 0, run)
        #expect(peer.open())
        let names = (0..<8_192).compactMap { StreamName("x/\($0)") }
        func send(_ page: RegionReport.Page) {
            peer.send(.regionReport(RegionReport(isLeaving: false, isSettled: true, versionHeld: 0, page: page)))
        }
        func pause() {
            peer.answer()
            peer.renew()
            run.bench.forgetSent()
            run.run(for: .milliseconds(20))
        }
        let entries = names.map { RegionReport.Entry(stream: $0, isWanted: true) }
        for (number, page) in RegionReport.pages(version: 1, of: entries).enumerated() {
            send(page)
            if number % 40 == 39 { pause() }
        }
        pause()
        #expect(run.edges[0].region?.names.count == names.count + 1)
        let (work, delivered) = (run.edges[0].work, run.edges[0].counters[.delivered])
        for step in UInt64(0)..<2_000 {
            let stream = names[Int(step) * 37 % names.count]
            send(
                RegionReport.Page(
                    PageHeader(version: 2 + step, base: 1 + step),
                    entries: [.init(stream: stream, isWanted: true, isYielding: step % 2 == 0)]))
            if step % 40 == 39 { pause() }
        }
        // About 18 evaluations of 8,193 streams and three members, and the reports.
        #expect(run.edges[0].work - work < 1_000_000, "\(run.edges[0].work - work)")
        #expect(run.edges[0].counters[.delivered] - delivered > 40)
        #expect(run.edges.prefix(2).allSatisfy { $0.counters[.lost] == 0 })
    }

    @Test("A forged, a replayed and a truncated report are counted, and not believed")
    func forged() throws {
        let run = try region()
        let peer = peer(of: 0, run)
        #expect(peer.open())
        let report = RegionReport(isLeaving: true, isSettled: true, versionHeld: 0)
        peer.send(.regionReport(report))
        #expect(run.edges[0].region?.members.last?.isLeaving == true)
        let bytes = peer.lastSent
        let before = run.edges[0].counters
        run.bench.inject(bytes, from: Self.endpoint, to: run.edges[0])
        #expect(run.edges[0].counters[.rejectedReplayed] == before[.rejectedReplayed] + 1)
        var forged = bytes
        forged[19] ^= 1
        run.bench.inject(forged, from: Self.endpoint, to: run.edges[0])
        #expect(run.edges[0].counters[.rejectedBadMAC] == before[.rejectedBadMAC] + 1)
        run.bench.inject(Array(bytes.dropLast(3)), from: Self.endpoint, to: run.edges[0])
        #expect(run.edges[0].counters[.rejectedBadMAC] == before[.rejectedBadMAC] + 2)
        run.bench.inject(bytes, from: Bench.endpoint(99), to: run.edges[0])
        #expect(run.edges[0].counters[.rejectedWrongAddress] == before[.rejectedWrongAddress] + 1)
        #expect(run.edges[0].counters[.regionReportsReceived] == before[.regionReportsReceived])
    }
}
