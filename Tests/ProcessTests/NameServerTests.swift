import Foundation
import TestSupport
import Testing

@testable import reflector

@Suite("The name server, queried by dig", .serialized)
struct NameServerTests {
    /// Header flags, status and records as dig prints them.
    private struct Answer {
        let text: String
        let status: String
        let flags: [String]
        /// Fields of each record of the answer section.
        let answer: [[String]]
        let authority: [[String]]

        init(_ arguments: String..., network: TestNetwork) throws {
            let server = "\(try network.node("ns1").address)"
            let result = try Program.run(
                "dig", ["@\(server)", "-p", "5300", "+time=2", "+tries=2", "+norecurse", "+nostats"] + arguments)
            text = result.output
            status = text.firstMatch(of: /status: ([A-Z]+)/).map { String($0.1) } ?? "none"
            flags = text.firstMatch(of: /flags: ([a-z ]+);/)?.1.split(separator: " ").map(String.init) ?? []
            func section(_ name: String) -> [[String]] {
                result.output.components(separatedBy: "\n").drop { $0 != ";; \(name) SECTION:" }.dropFirst()
                    .prefix { !$0.isEmpty }.map { $0.split { $0 == " " || $0 == "\t" }.map(String.init) }
            }
            answer = section("ANSWER")
            authority = section("AUTHORITY")
        }

        /// The data of the records, without name, TTL, class and type.
        var data: [String] { answer.map { $0.dropFirst(4).joined(separator: " ") } }
        var isNoData: Bool { status == "NOERROR" && answer.isEmpty && hasSOA }
        var hasSOA: Bool { authority.count == 1 && authority[0].count > 4 && authority[0][3] == "SOA" }
    }

    @Test("every form of a reflector name gets an authoritative answer with its map line's TTL; explain names the line")
    func names() async throws {
        try await TestNetwork.with(net: 75) { network in
            for name in ["ns1", "ns2"] { try await network.start(name) }
            for name in ["ns1", "ns2"] { try await network.waitUntilReady(name) }
            let zone = "reflector.net"

            let plain = try Answer("n1.r1283.s4096.\(zone)", network: network)
            print(plain.text)
            #expect(plain.status == "NOERROR" && plain.flags.contains("aa") && !plain.flags.contains("ra"))
            #expect(plain.answer == [["n1.r1283.s4096.\(zone).", "5", "IN", "A", "127.75.2.5"]])

            let mixed = try Answer("N1.r1283.S4096.rEfLeCtOr.NeT", network: network)
            #expect(mixed.answer == [["N1.r1283.S4096.rEfLeCtOr.NeT.", "5", "IN", "A", "127.75.2.5"]])
            let short = try Answer("n1.r1283.\(zone)", network: network)
            #expect(short.data.sorted() == ["127.75.2.1", "127.75.2.2"])
            #expect(short.answer.allSatisfy { $0[1] == "20" })
            let stream = try Answer("+tcp", "n1.r1283.s4096.\(zone)", network: network)
            #expect(stream.answer == plain.answer && stream.flags.contains("aa"))
            #expect(try Answer("n1.r1283.s4096.\(zone)", "AAAA", network: network).isNoData)
            #expect(try Answer("www.\(zone)", "AAAA", network: network).data == ["2001:db8::80"])

            let service = try Answer("n2.r1283.s4096.\(zone)", "SRV", network: network)
            #expect(service.data.sorted() == ["0 100 4900 nyc-1.\(zone).", "0 100 4900 nyc-2.\(zone)."])
            let text = try Answer("n1.r1283.s4096.\(zone)", "TXT", network: network)
            #expect(text.data.count == 1 && text.data[0].contains("\"set=sjc\"") && text.data[0].contains("serial="))
            let why = try Answer("n1.r1283.s4096.explain.\(zone)", "TXT", network: network)
            let line = try network.zones.read("reflector.net.portsets").components(separatedBy: "\n")
                .firstIndex { $0.hasPrefix("map  s4096") }
            #expect(why.data.count == 1 && why.answer[0][1] == "0")
            #expect(why.data[0].contains("\"rule=reflector.net.portsets:\(try #require(line) + 1)\""))
            print(why.data[0])

            for unknown in ["n9.r1283.s4096", "n1.r01283.s4096", "n1.r7777.s4096", "n1.r9001.s4096", "n1.r1283.s65536"]
            {
                let answer = try Answer("\(unknown).\(zone)", network: network)
                #expect(answer.status == "NXDOMAIN" && answer.hasSOA && answer.flags.contains("aa"), "\(answer.text)")
            }
            #expect(try Answer("r1283.s4096.\(zone)", network: network).isNoData)
            #expect(try Answer("example.com", network: network).status == "REFUSED")

            let candidates = try Answer("news.live.streams.\(zone)", "SRV", network: network)
            let order = candidates.answer.sorted { Int($0[4]) ?? 0 < Int($1[4]) ?? 0 }.map { $0[7] }
            #expect(order == ["ep-bos.\(zone).", "ep-nyc.\(zone).", "ep-lon.\(zone)."])
            #expect(Set(candidates.answer.map { $0[4] }).count == 3)
            print("candidates of live/news: \(order.joined(separator: " "))")
        }
    }

    /// Twelve mistakes: the file, a line to add to it, and the column of the error.
    private static let mistakes: [(file: String, line: String, column: Int)] = [
        ("zone", "sjc-2       A     127.0.2.300", 19),
        ("zone", "r7          A     127.0.4.9", 1),
        ("zone", "www.example.com. A 127.0.4.8", 1),
        ("portsets", "setregion  ams  hosts=ams-1", 23),
        ("portsets", "region     r1283  name=again", 12),
        ("portsets", "map  s70000  r1283  nyc", 6),
        ("portsets", "map  s1  r1283  fra", 17),
        ("portsets", "map  s2  r5555  nyc", 10),
        ("portsets", "frobnicate  s1  r1283", 1),
        ("streams", "stream  live/News  s1  entrypoints=ep-bos  push", 9),
        ("streams", "stream  live/news  s1  entrypoints=ep-bos  push", 9),
        ("streams", "stream  live/film  s1  entrypoints=ep-sfo  push", 36),
    ]

    @Test("twelve mistakes are all reported at file:line:column, and a running server keeps the old zone")
    func mistakes() async throws {
        try await TestNetwork.with(net: 76) { network in
            try await network.start("ns1")
            try await network.waitUntilReady("ns1")
            let serial = try soa(network)

            var good: [String: String] = [:]
            var places: [String] = []
            for suffix in ["portsets", "streams", "zone"] {
                let name = "reflector.net.\(suffix)"
                let text = try network.zones.read(name)
                good[name] = text
                let first = text.split(separator: "\n", omittingEmptySubsequences: false).count
                let wrong = Self.mistakes.filter { $0.file == suffix }
                for (index, mistake) in wrong.enumerated() {
                    places.append("\(network.zones.path)/\(name):\(first + index):\(mistake.column): ")
                }
                try network.zones.write(text + wrong.map { $0.line + "\n" }.joined(), to: name)
            }
            let check = try Program.run(Program.reflector, ["zone", "check", network.zones.path])
            print(check.output)
            #expect(check.code == 1)
            #expect(places.count == 12)
            for place in places {
                #expect(check.lines.filter { $0.hasPrefix(place) && $0.count > place.count }.count == 1, "\(place)")
            }
            try await eventually("the refusal in the server's log") {
                network.log(of: "ns1").contains("generation refused")
            }
            #expect(try soa(network) == serial)
            #expect(try parent(network) == "127.76.2.5")
            #expect(network.log(of: "ns1").contains("reflector.net.portsets:"))

            // Remove the mistakes and make a valid change: the server accepts it.
            for (name, text) in good.sorted(by: { $0.key < $1.key }) {
                try network.zones.write(text.replacing("sjc nyc lon", with: "lon nyc sjc"), to: name)
            }
            try await eventually("the good generation") { try parent(network).hasPrefix("127.76.2.3") }
            #expect(try soa(network) != serial)
        }
    }

    private func soa(_ network: TestNetwork) throws -> String {
        try Program.dig("+short", "SOA", "reflector.net", server: "\(network.node("ns1").address)").output
    }

    private func parent(_ network: TestNetwork) throws -> String {
        try Program.dig("+short", "n1.r1283.s4096.reflector.net", server: "\(network.node("ns1").address)").lines
            .sorted().first ?? ""
    }
}
