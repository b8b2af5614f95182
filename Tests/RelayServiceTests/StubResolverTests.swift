import Foundation
import LDNSKit
import ReflectorModel
import Synchronization
import TestSupport
import Testing

@testable import RelayService

@Suite("The stub resolver, with NSD as its server", .serialized)
struct StubResolverTests {
    private static let zone = """
        $ORIGIN reflector.test.
        $TTL 20
        @ SOA ns hostmaster 2026112107 3600 600 86400 5
        @ NS ns
        ns A 127.47.0.2
        lon-1 A 127.47.10.1
        lon-1 AAAA ::1
        lon-2 60 A 127.47.10.2
        nyc-1 7 A 127.47.11.1
        s4096 DNAME c1.maps
        n1.r1283.c1.maps 5 CNAME lon.parents
        lon.parents SRV 0 100 4900 lon-1
        lon.parents SRV 0 200 4901 lon-2
        lon.parents TXT "set=lon" "serial=77"
        n1.r1283 SRV 0 100 4900 nyc-1
        n3.r1283 SRV 0 0 0 .
        n2.r1283 SRV 0 0 4900 nowhere.elsewhere.test.
        n2.r77 CNAME gone.elsewhere.test.
        news.live.streams SRV 1 0 4900 lon-1
        news.live.streams SRV 0 0 4900 nyc-1
        news.live.streams TXT "portset=s4096" "ingest=push"
        sport.live.streams SRV 0 0 4900 nyc-1
        sport.live.streams TXT "hash=0-4095"
        *.live.streams SRV 0 0 4900 nyc-1
        *.live.streams TXT "hash=0-4095"
        big.sets TXT "serial=1"

        """

    private var manyHosts: String {
        (1...60).map { "big.sets SRV 0 1 4900 many-\($0)\nmany-\($0) A 127.47.12.\($0)\n" }.joined()
    }

    /// Runs `body` with a resolver of a zone that NSD serves; a dead server comes first in the list.
    private func withNSD(_ body: (StubResolver) async throws -> Void) async throws {
        try await withTemporaryFolder { folder in
            let server = try #require(Endpoint("127.47.0.2:5390"))
            try (Self.zone + manyHosts).write(toFile: folder + "/zone", atomically: true, encoding: .utf8)
            try """
            server:
              ip-address: \(server.address)@\(server.port)
              username: ""
              chroot: ""
              zonesdir: "\(folder)"
              pidfile: "\(folder)/nsd.pid"
              zonelistfile: "\(folder)/zone.list"
              xfrdfile: "\(folder)/xfrd.state"
              xfrdir: "\(folder)"
              logfile: "\(folder)/log"
              answer-cookie: yes
              rrl-ratelimit: 0
            remote-control:
              control-enable: no
            zone:
              name: reflector.test
              zonefile: zone

            """.write(toFile: folder + "/nsd.conf", atomically: true, encoding: .utf8)
            // NSD stays in the foreground (-d), so that stopping this process stops all of NSD.
            let nsd = try Companion(["/usr/sbin/nsd", "-d", "-c", folder + "/nsd.conf"], folder: folder)
            defer { nsd.stop() }
            let dead = try #require(Endpoint("127.47.0.2:5391"))
            let resolver = StubResolver(servers: [dead, server], zone: "Reflector.Test.")
            let isUp = await eventually {
                if case .success(let found) = await resolver.addresses(ofHost: "ns") { return !found.isEmpty }
                return false
            }
            let log = (try? String(contentsOfFile: folder + "/log", encoding: .utf8)) ?? ""
            try #require(isUp, "\(log)")
            try await body(resolver)
            await resolver.shutDown()
        }
    }

    private func answer(_ resolver: StubResolver, _ name: ReflectorName) async throws -> LookUpAnswer {
        let result = await resolver.lookUp(name)
        guard case .records(let answer) = result else {
            Issue.record("\(name): \(result)")
            throw LookUpFailure.timedOut
        }
        return answer
    }

    @Test("A look-up of parents follows aliases, and gives addresses, the lowest TTL, text and serial")
    func parents() async throws {
        try await withNSD { resolver in
            let found = try await answer(resolver, .parents(.first, RegionID(1_283), PortsetID(4_096)))
            #expect(
                found.hosts.map(\.description) == [
                    "lon-1=127.47.10.1:4900", "lon-1=[::1]:4900", "lon-2=127.47.10.2:4901",
                ])
            #expect(found.hosts.map(\.weight) == [100, 100, 200])
            #expect(found.ttlSeconds == 5)
            #expect(found.text == ["set=lon", "serial=77"])
            // The zone's serial, not the one in the text: that is of the last change of the set region's answer.
            #expect(found.serial == 2_026_112_107)
            #expect(found.portset == nil)
            // The TTL of the address is the lower one.
            let short = try await answer(resolver, .parents(.first, RegionID(1_283), nil))
            #expect(short.serial == 2_026_112_107)
            #expect(short.ttlSeconds == 7)
        }
    }

    @Test("Candidates come in order, with an explicit or a hashed portset")
    func candidates() async throws {
        try await withNSD { resolver in
            let news = try #require(StreamName("live/news"))
            let sport = try #require(StreamName("live/sport"))
            let found = try await answer(resolver, .candidates(news))
            #expect(found.hosts.map(\.name) == ["nyc-1", "lon-1", "lon-1"])
            #expect(found.portset == PortsetID(4_096))
            let hashed = try await answer(resolver, .candidates(sport))
            #expect(hashed.portset == sport.portset(hashedInto: 0...4_095))
        }
    }

    @Test("A name with a segment 'ingest' is no stream, although a pattern of the zone matches it")
    func reserved() async throws {
        try await withNSD { resolver in
            #expect(try await answer(resolver, .candidates(#require(StreamName("live/in")))).hosts.count == 1)
            for name in ["live/ingest", "live/ingest/a", "live/a/ingest", "ingest"] {
                let stream = try #require(StreamName(name))
                #expect(await resolver.lookUp(.candidates(stream)) == .noSuchName(serial: nil), "\(name)")
            }
        }
    }

    @Test("An alias to a target outside the server's zones is not proof of absence")
    func danglingAlias() async throws {
        try await withNSD { resolver in
            let result = await resolver.lookUp(.parents(.second, RegionID(77), nil))
            #expect(result == .failed(.serverFailure(rcode: 2)))
        }
    }

    @Test("A name that does not exist, no records, explicitly no parents, and no address are distinguished")
    func negative() async throws {
        try await withNSD { resolver in
            let serial: UInt32 = 2_026_112_107
            let region = RegionID(1_283)
            #expect(await resolver.lookUp(.parents(.first, RegionID(9), nil)) == .noSuchName(serial: serial))
            #expect(await resolver.lookUp(.announceTargets(host: "lon.parents")) == .noSuchName(serial: serial))
            #expect(await resolver.lookUp(.rootSets(PortsetID(0))) == .noSuchName(serial: serial))
            let live = try #require(StreamName("live"))
            #expect(await resolver.lookUp(.candidates(live)) == .noData(serial: serial))
            let none = try await answer(resolver, .parents(.third, region, nil))
            #expect(none.hosts == [])
            guard case .failed = await resolver.lookUp(.parents(.second, region, nil)) else {
                Issue.record("a host without an address was found")
                return
            }
            let addresses = await resolver.addresses(ofHost: "lon-1").map { $0.map(\.description) }
            #expect(addresses == .success(["127.47.10.1", "::1"]))
            #expect(await resolver.addresses(ofHost: "lon-9") == .success([]))
        }
    }

    @Test("An unanswered look-up of a host reports the problem of each server")
    func unanswered() async throws {
        try await withNSD { _ in
            let silent = try await DatagramPeer(host: "127.47.0.4") { _ in [] }
            let servers = ["127.47.0.2:5391", "127.47.0.2:5390"].compactMap { Endpoint($0) } + [silent.endpoint]
            let resolver = StubResolver(servers: servers, zone: "example.org")
            guard case .failure(let unanswered) = await resolver.addresses(ofHost: "sjc-1") else {
                Issue.record("a server answers for example.org")
                return
            }
            #expect(
                unanswered.description
                    == "sjc-1.example.org: 127.47.0.2:5391 cannot be reached: nothing listens there; "
                    + "127.47.0.2:5390 is not authoritative for example.org (REFUSED): is --zone right?; "
                    + "\(silent.endpoint) does not answer")
            await silent.close()
        }
    }

    @Test("An answer too large for a datagram is fetched over TCP; the live server is preferred; cookies are kept")
    func truncated() async throws {
        try await withNSD { resolver in
            let found = try await answer(resolver, .announceTargets(host: "big"))
            #expect(found.hosts.count == 60)
            #expect(resolver.counters.value(.queriesTCP) >= 1)
            let unreachable = resolver.counters.value(.unreachable)
            let region = RegionID(1_283)
            await withTaskGroup { group in
                for _ in 0..<100 { group.addTask { _ = await resolver.lookUp(.parents(.first, region, nil)) } }
            }
            #expect(resolver.counters.value(.unreachable) - unreachable <= 2)
            #expect(resolver.counters.value(.mismatchedCookie) == 0)
        }
    }
}

@Suite("Forged answers", .serialized)
struct ForgedAnswerTests {
    private let name = ReflectorName.parents(.first, RegionID(1), nil)

    /// The response to a query: for SRV, one record with the address of its host; for other types, no record.
    private static func answer(_ query: [UInt8], address: [UInt8]) -> [UInt8] {
        guard query.count > 17 else { return [] }
        var end = 12
        while end < query.count, query[end] != 0 { end += Int(query[end]) + 1 }
        let question = query[12..<end + 5]
        let type = question.suffix(4).prefix(2)
        let isService = Array(type) == [0, 33]
        let records: UInt8 = isService ? 1 : 0
        var bytes: [UInt8] = query[0..<2] + [0x84, 0, 0, 1, 0, records, 0, 0, 0, records] + question
        if isService {
            let host: [UInt8] = [1, UInt8(ascii: "h"), 1, UInt8(ascii: "z"), 0]
            bytes += [0xc0, 12] + type + [0, 1, 0, 0, 0, 20, 0, UInt8(6 + host.count), 0, 0, 0, 0, 19, 36] + host
            bytes += host + [0, 1, 0, 1, 0, 0, 0, 20, 0, 4] + address
        }
        return bytes
    }

    private static let forged: [UInt8] = [127, 66, 66, 66]
    private static let genuine: [UInt8] = [127, 47, 20, 1]

    @Test("Answers with another id, case or form are dropped, and the right one is used")
    func forged() async throws {
        let responder = try await DatagramPeer(host: "127.47.0.4") { query in
            let good = Self.answer(query, address: Self.genuine)
            let bad = Self.answer(query, address: Self.forged)
            var wrongID = bad
            wrongID[1] ^= 1
            var wrongCase = bad
            // The first letter of the name.
            wrongCase[13] ^= 0x20
            var noResponse = bad
            noResponse[2] = 0
            return [[], [1], wrongID, wrongCase, noResponse, good]
        }
        let resolver = StubResolver(servers: [responder.endpoint], zone: "z")
        guard case .records(let found) = await resolver.lookUp(name) else {
            Issue.record("no records")
            return
        }
        #expect(found.hosts.map(\.description) == ["h=127.47.20.1:4900"])
        let counters = resolver.counters
        #expect(counters.value(.mismatchedID) > 0)
        #expect(counters.value(.mismatchedID) == counters.value(.mismatchedQuestion))
        #expect(counters.value(.mismatchedHeader) >= 2)
        await responder.close()
    }

    @Test("Every query has its own id and random case; a look-up without any answer times out after 3 s")
    func silence() async throws {
        let seen = Mutex<[[UInt8]]>([])
        let silent = try await DatagramPeer(host: "127.47.0.4") { query in
            seen.withLock { $0.append(query) }
            return []
        }
        let resolver = StubResolver(servers: [silent.endpoint], zone: "z")
        #expect(await resolver.lookUp(name) == .failed(.timedOut))
        let queries = seen.withLock { $0 }
        #expect(queries.count >= 7)
        #expect(Set(queries.map { Array($0.prefix(2)) }).count > 1)
        #expect(Set(queries.map { Array($0[12...]) }).count > 1)
        #expect(queries.allSatisfy { $0[2] & 1 == 0 }, "recursion is never requested")
        #expect(resolver.counters.value(.timeouts) >= 7)
        await silent.close()
    }

    @Test("An answer from a wrong source port is ignored")
    func otherPort() async throws {
        let forger = try await DatagramPeer(host: "127.47.0.4")
        let server = try await DatagramPeer(hostAsynchronous: "127.47.0.4") { query, client in
            try? await forger.send(Self.answer(query, address: Self.forged), to: client)
            return [Self.answer(query, address: Self.genuine)]
        }
        let resolver = StubResolver(servers: [server.endpoint], zone: "z")
        guard case .records(let found) = await resolver.lookUp(name) else {
            Issue.record("no records")
            return
        }
        #expect(found.hosts.map(\.description) == ["h=127.47.20.1:4900"])
        await forger.close()
        await server.close()
    }

    @Test("After a refusal and after a malformed answer the next server is queried")
    func lame() async throws {
        let lame = try await DatagramPeer(host: "127.47.0.4") { query in
            var refused = Self.answer(query, address: Self.forged)
            refused[2] = 0x80
            refused[3] = 5
            return [refused]
        }
        let broken = try await DatagramPeer(host: "127.47.0.5") { query in
            [Array(Self.answer(query, address: Self.forged).dropLast(3))]
        }
        let good = try await DatagramPeer(host: "127.47.0.6") { query in [Self.answer(query, address: Self.genuine)] }
        let resolver = StubResolver(servers: [lame.endpoint, broken.endpoint, good.endpoint], zone: "z")
        guard case .records(let found) = await resolver.lookUp(name) else {
            Issue.record("no records")
            return
        }
        #expect(found.hosts.map(\.description) == ["h=127.47.20.1:4900"])
        #expect(resolver.counters.value(.lame) >= 2)
        for peer in [lame, broken, good] { await peer.close() }
    }

    @Test("A look-up fails if a server stops between its answers: no answer about the portset does not mean no portset")
    func halfAnswered() async throws {
        let half = try await DatagramPeer(host: "127.47.0.4") { query in
            var end = 12
            while end < query.count, query[end] > 0 { end += 1 + Int(query[end]) }
            // The type of the question, after its name.
            let isText = end + 2 < query.count && query[end + 2] == 16
            return isText ? [] : [Self.answer(query, address: Self.genuine)]
        }
        let resolver = StubResolver(servers: [half.endpoint], zone: "z")
        let stream = try #require(StreamName("live/news"))
        #expect(await resolver.lookUp(.candidates(stream)) == .failed(.timedOut))
        guard case .records(let found) = await resolver.lookUp(name) else {
            Issue.record("a look-up of parents needs no text: that is only for people")
            return
        }
        #expect(found.text == [])
        await half.close()
    }

    @Test("If too many look-ups are running, the next is refused at once")
    func overload() async throws {
        let silent = try await DatagramPeer(host: "127.47.0.4")
        let resolver = StubResolver(servers: [silent.endpoint], zone: "z")
        let results = await withTaskGroup(of: LookUpResult.self) { group in
            for region in 0..<UInt32(StubResolver.lookUpsMax + 20) {
                group.addTask { await resolver.lookUp(.parents(.first, RegionID(region), nil)) }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(results.count { $0 == .failed(.overloaded) } == 20)
        #expect(resolver.counters.value(.overloaded) == 20)
        await silent.close()
    }
}
