import DNSAnswers
import DNSService
import DNSTestClient
import Foundation
import LDNSKit
import Logging
import ReflectorModel
import TestSupport
import Testing

@testable import ZoneCompiler

/// After following aliases (design §4), our flat answers equal those of NSD, which serves the aliased export.
@Suite("Name server against NSD")
struct NameServerNSDTests {
    @Test("5,000 sampled names agree")
    func sampledNames() async throws {
        let folder = try TemporaryFolder()
        let work = folder.url
        let zones = work.appendingPathComponent("zones")
        try FileManager.default.createDirectory(at: zones, withIntermediateDirectories: true)
        defer { folder.remove() }
        var random = SeededGenerator(seed: 5_000)
        for (name, text) in SampledNetwork.files(&random) {
            try Data(text.utf8).write(to: zones.appendingPathComponent(name))
        }
        let content = try #require(try ZoneDirectory.compile(zones.path).contents.first)
        // A random port: another run of this test, or a leftover process, must not answer in NSD's place.
        let nsd = try PeerServer.nsd(
            [.init(name: content.zone, text: ZoneExport.text(content))], directory: work, address: "127.81.3.1",
            port: .random(in: 20_000...30_000))
        defer { nsd.stop() }

        let listen = try #require(Endpoint("127.44.3.2:0"))
        let names = SampledNetwork.names(&random, count: 5_000)
        try await withNameServer(.init(zones: zones.path, listen: [listen])) { _, port in
            let ours = DNSTestClient("127.44.3.2", port: port)
            var disagreements: [String] = []
            var answered = 0
            for (number, name) in names.enumerated() {
                let type = [UInt16(1), 28, 33, 16][number % 4]
                let mine = try Essence(ours.ask(name, type), type)
                let theirs = try Essence(nsd.client.ask(name, type), type)
                if !mine.records.isEmpty { answered += 1 }
                if mine != theirs { disagreements.append("\(name) \(type): \(mine) but NSD \(theirs)") }
            }
            #expect(disagreements.isEmpty, "\(disagreements.count): \(disagreements.prefix(12))")
            #expect(answered > 1_500, "the sample must not be all empty: \(answered)")
        }
    }
}

/// An answer after following aliases: response code, and data of the requested type. TTLs of the two forms differ along
/// the chain; TXT differs in the serial.
struct Essence: Equatable, CustomStringConvertible {
    var rcode: UInt16
    var records: [String]

    init(_ message: LDNSMessage, _ type: UInt16) {
        rcode = message.rcode
        records = message.answers.filter { $0.type == type }.map { record in
            if type == 16 {
                return (record.strings ?? []).filter { !$0.hasPrefix("serial=") }.joined(separator: " ")
            }
            return record.data.map { String($0) }.joined(separator: ".")
        }.sorted()
    }

    var description: String { "rcode \(rcode) \(records)" }
}

/// A network with every kind of line, and names in it: existing ones, near misses and rubbish.
enum SampledNetwork {
    static func files(_ random: inout SeededGenerator) -> [(String, String)] {
        var zone = """
            $TTL 60
            @ SOA ns1 hostmaster 1 3600 600 604800 5
            @ NS ns1
            ns1 A 127.0.0.1
            ep-a A 127.0.1.1
            ep-b AAAA 2001:db8::b
            www CNAME ns1
            alias CNAME n1.r10.s5
            *.wild A 127.0.9.9
            a.b.deep TXT "deep"
            sub NS ns.sub
            ns.sub A 127.0.8.8

            """
        var portsets = "default portset=s7 ttl=30\nregion r10-r29\nregion r40\n"
        for set in 0..<6 {
            for host in 1...2 { zone += "h\(set)-\(host) A 127.0.\(set + 20).\(host)\n" }
            if set % 2 == 0 { zone += "h\(set)-1 AAAA 2001:db8::\(set + 1)\n" }
            portsets += "setregion t\(set) id=r\(900 + set) hosts=h\(set)-1,h\(set)-2:5000 capacity=\(set)Gbps\n"
        }
        portsets = portsets.replacingOccurrences(of: "capacity=0Gbps", with: "capacity=500Mbps")
        portsets += "map s0-s999 r* t0 t1 t2\n"
        for _ in 0..<60 {
            func range(_ low: Int, _ high: Int) -> (Int, Int) {
                let a = Int.random(in: low...high, using: &random)
                let b = Int.random(in: low...high, using: &random)
                return (min(a, b), max(a, b))
            }
            let (portsetLow, portsetHigh) = range(0, 1_200)
            let (regionLow, regionHigh) = range(10, 29)
            let parents = (0..<6).shuffled(using: &random).prefix(Int.random(in: 1...3, using: &random))
            let text = random.next() % 8 == 0 ? "none" : parents.map { "t\($0)" }.joined(separator: " ")
            portsets += "map s\(portsetLow)-s\(portsetHigh) r\(regionLow)-r\(regionHigh) \(text)"
            portsets += " ttl=\(Int.random(in: 1...60, using: &random))\n"
        }
        portsets += "map s100-s200 t0 t3 t4\nmap s150 t3 t5\nmap s9000 t1 t2\n"
        let streams = """
            stream live/news s5 entrypoints=ep-a,ep-b push
            stream live/* hash(0-4095) entrypoints=ep-b push
            stream radio/one s150 entrypoints=ep-a push

            """
        return [("example.net.zone", zone), ("example.net.portsets", portsets), ("example.net.streams", streams)]
    }

    static func names(_ random: inout SeededGenerator, count: Int) -> [String] {
        let fixed = [
            "", "ns1", "www", "alias", "x.wild", "x.y.wild", "wild", "a.b.deep", "b.deep", "deep", "x.deep",
            "news.live.streams", "x.live.streams", "x.y.live.streams", "live.streams", "streams", "one.radio.streams",
            "two.radio.streams", "x.news.live.streams", "ep-a.sets", "ep-b.sets", "ns1.sets", "sets", "n1.r10", "r10",
            "n4.r10", "n1.r30", "r30", "n1.r900.s150", "n1.r903.s150", "n2.r903.s150", "r903.s150", "n1.r903.s151",
            "n1.r901.s9000", "s9000", "r901.s9000", "sets.s9000", "n1.r10.s9000", "nothing", "n1.r010.s5", "n1.r10.s05",
            "r10.s05", "s05", "n01.r10.s5", "n1.r900", "a.n1.r10.s5",
        ]
        return (0..<count).map { _ in
            let relative: String
            switch random.next() % 8 {
            case 0: relative = fixed[Int(random.next() % UInt64(fixed.count))]
            case 1: relative = "sets.s\(random.next() % 1_300)"
            case 2: relative = "r\(8 + random.next() % 36).s\(random.next() % 1_300)"
            case 3: relative = "s\(random.next() % 1_300)"
            default:
                let rank = random.next() % 3 + 1
                relative = "n\(rank).r\(9 + random.next() % 22).s\(random.next() % 1_250)"
            }
            return relative.isEmpty ? "example.net" : relative + ".example.net"
        }
    }
}
