import Foundation
import Logging
import NodeIdentity
import ReflectorModel
import Synchronization
import TestIdentities
import TestSupport
import Testing

@testable import RelayService

@Suite("The watch over revocation lists", .serialized)
struct RevocationWatchTests {
    private static let zone = "reflector.net"
    private let signer: TestOperator
    private let lines = LogCollector()
    private let received = ListCollector()

    init() throws { signer = try TestOperator() }

    /// The numbers of the lists that a watch handed on.
    private final class ListCollector: Sendable {
        private let collected = Mutex<[RevocationList]>([])
        func add(_ list: RevocationList) { collected.withLock { $0.append(list) } }
        var sequences: [UInt64] { collected.withLock { $0.map(\.content.sequence) } }
    }

    private func watch(_ servers: [Endpoint], state: String? = nil) -> RevocationWatch {
        let configuration = RevocationWatch.Configuration(
            zone: Self.zone, servers: servers, operators: signer.authorities, stateDirectory: state)
        return RevocationWatch(configuration, logger: lines.logger) { [received] in received.add($0) }
    }

    private func list(_ sequence: UInt64, _ serials: [UInt64] = [1]) throws -> RevocationList {
        try signer.revocations(serials, sequence: sequence, zone: Self.zone)
    }

    private func withServers(_ count: Int, _ body: ([FakeNameServer]) async throws -> Void) async throws {
        var servers: [FakeNameServer] = []
        for number in 0..<count { servers.append(try await FakeNameServer(host: "127.47.1.\(number + 1)")) }
        try await body(servers)
        for server in servers { await server.close() }
    }

    @Test("A list is fetched once, over TCP, when its number is higher; a full list and an empty one too")
    func fetch() async throws {
        try await withServers(1) { servers in
            let watch = watch([servers[0].endpoint])
            await watch.ask()
            #expect(received.sequences == [])
            for (number, serials) in [(UInt64(1), [UInt64]()), (2, Array(1...4_096)), (9, [5])] {
                servers[0].publish(try list(number, serials))
                for _ in 0..<3 { await watch.ask() }
            }
            #expect(received.sequences == [1, 2, 9])
            #expect(servers[0].fetches == 3)
            servers[0].publish(try list(8))
            await watch.ask()
            #expect(received.sequences == [1, 2, 9] && servers[0].fetches == 3)
            #expect(watch.counters.value(.sequence) == 9 && watch.counters.value(.polls) == 11)
            #expect(watch.counters.value(.failures) == 0 && watch.counters.value(.rejected) == 0)
        }
    }

    @Test("A newer list counts whichever server has it: one behind, one dead and one without the list do not hide it")
    func behind() async throws {
        try await withServers(3) { servers in
            let dead = try #require(Endpoint("127.47.1.9:5399"))
            let watch = watch([servers[0].endpoint, dead, servers[1].endpoint, servers[2].endpoint])
            servers[0].publish(try list(3))
            servers[2].publish(try list(4))
            // Four servers, one of which is skipped at once: three turns reach all.
            for _ in 0..<3 { await watch.ask() }
            #expect(received.sequences == [3, 4])
            servers[0].say(.init(isSilent: true))
            servers[1].publish(try list(5))
            let start = ContinuousClock.now
            for _ in 0..<2 { await watch.ask() }
            #expect(received.sequences == [3, 4, 5])
            #expect(ContinuousClock.now - start < .seconds(2))
            #expect(watch.counters.value(.failures) == 0)
        }
    }

    @Test(
        "A server that lies costs one fetch a turn and changes nothing; the list of an honest one still comes through")
    func liar() async throws {
        try await withServers(2) { servers in
            let watch = watch(servers.map(\.endpoint))
            servers[1].publish(try list(6))
            for _ in 0..<2 { await watch.ask() }
            #expect(received.sequences == [6])
            let absurd = ["sequence=\(UInt64.max)"]
            let forger = try TestOperator(2)
            let lies: [[UInt8]?] = [
                nil, [], [255, 1], Array(repeating: 0, count: 60_000),
                RevocationRecords.data(of: try list(5)), RevocationRecords.data(of: try list(6, [])),
                RevocationRecords.data(
                    of: try forger.revocations([], sequence: CertificateLimits.sequenceMax, zone: Self.zone)),
                RevocationRecords.data(
                    of: try signer.revocations([], sequence: CertificateLimits.sequenceMax, zone: "other.net")),
                Array(RevocationRecords.data(of: try list(7)).dropLast(9)),
            ]
            for (number, lie) in lies.enumerated() {
                servers[0].say(.init(announcement: absurd, list: lie))
                // A list that fails verification is not fetched again for some time, unless the operators change.
                await watch.replaceOperators(signer.authorities)
                let (before, turns) = (servers[0].fetches, 6)
                for _ in 0..<turns { await watch.ask() }
                #expect(servers[0].fetches - before <= turns / 2, "\(number)")
                #expect(received.sequences == [6], "\(number)")
            }
            #expect(watch.counters.value(.rejected) >= 7)
            #expect(lines.lines.contains { $0.contains("not signed by an operator of this node: sign it with") })
            #expect(lines.lines.count { $0.contains("rejected") } < 12, "each problem once: \(lines.lines)")
            servers[1].publish(try list(7))
            for _ in 0..<2 { await watch.ask() }
            #expect(received.sequences == [6, 7])
        }
    }

    @Test("A list that fails verification is fetched once, not every turn, and a corrected one at once")
    func refused() async throws {
        try await withServers(1) { servers in
            let watch = watch([servers[0].endpoint])
            servers[0].publish(try TestOperator(2).revocations([1], sequence: 3, zone: Self.zone))
            for _ in 0..<5 { await watch.ask() }
            #expect(servers[0].fetches == 1 && received.sequences == [])
            #expect(watch.counters.value(.rejected) == 1)
            servers[0].publish(try list(4))
            await watch.ask()
            #expect(received.sequences == [4])
        }
    }

    @Test(
        "The list survives a restart while no server answers; a damaged or foreign file does not count, and is reported"
    )
    func restart() async throws {
        try await withTemporaryFolder { folder in
            let state = folder + "/state"
            try await withServers(1) { servers in
                let watch = watch([servers[0].endpoint], state: state)
                #expect(watch.restored == nil)
                servers[0].publish(try list(7, [3, 4]))
                await watch.ask()
            }
            let silent = try #require(Endpoint("127.47.1.9:5399"))
            let restarted = watch([silent], state: state)
            #expect(restarted.restored == (try list(7, [3, 4])))
            #expect(restarted.counters.value(.sequence) == 7)
            let running = Task { await restarted.run() }
            #expect(await eventually { restarted.counters.value(.failures) > 0 })
            running.cancel()
            await running.value
            #expect(received.sequences == [7, 7], "one before the restart, one after")

            let path = state + "/revocations"
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o600)
            for text in [
                "rubbish\n", "", String(try signer.revocationText([1], sequence: 8, zone: Self.zone).dropLast(4)),
                try signer.revocationText([1], sequence: 8, zone: "other.net"),
                try TestOperator(2).revocationText([1], sequence: 8, zone: Self.zone),
            ] {
                try Data(text.utf8).write(to: URL(fileURLWithPath: path))
                let before = lines.lines.count
                #expect(watch([silent], state: state).restored == nil)
                #expect(lines.lines.count == before + 1 && lines.lines.last?.contains(path) == true)
            }
        }
    }

    @Test("A forged announcement from another port, or with another id, is not even read")
    func forged() async throws {
        let absurd = RevocationRecords.announcement(of: try list(CertificateLimits.sequenceMax))
        let forger = try await DatagramPeer(host: "127.47.1.6")
        let server = try await DatagramPeer(hostAsynchronous: "127.47.1.5") { query, client in
            var wrong = FakeNameServer.reply(to: query, strings: absurd)
            try? await forger.send(wrong, to: client)
            wrong[0] ^= 1
            return [wrong, FakeNameServer.reply(to: query, strings: ["sequence=0"])]
        }
        let watch = watch([server.endpoint])
        await watch.ask()
        // A fetch would have failed: nothing listens there over TCP.
        #expect(watch.counters.value(.polls) == 1 && watch.counters.value(.failures) == 0)
        #expect(received.sequences == [])
        await forger.close()
        await server.close()
    }

    @Test("Turns are at least the interval apart, and a list that stays the same is fetched once")
    func pace() async throws {
        try await withServers(1) { servers in
            servers[0].publish(try list(1))
            let watch = watch([servers[0].endpoint])
            let running = Task { await watch.run() }
            try await Task.sleep(for: .milliseconds(3_500))
            running.cancel()
            await running.value
            let polls = watch.counters.value(.polls)
            #expect((2...4).contains(polls), "\(polls)")
            #expect(servers[0].fetches == 1)
        }
    }
}
