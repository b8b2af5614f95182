import DNSAnswers
import LDNSKit
import NodeIdentity
import TestIdentities
import Testing

@testable import ZoneCompiler

@Suite("The .revocations file")
struct RevocationsTests {
    private static let zone = "reflector.net"
    private let signer: TestOperator

    init() throws { signer = try TestOperator() }

    private func compile(_ revocations: String?, zone: String = ExampleZone.zone) -> CompiledZones {
        var files = [
            ("reflector.net.zone", Array(zone.utf8)), ("reflector.net.portsets", Array(ExampleZone.portsets.utf8)),
            ("reflector.net.streams", Array(ExampleZone.streams.utf8)),
        ]
        if let revocations { files.append(("reflector.net.revocations", Array(revocations.utf8))) }
        return ZoneCompiler.compile(files: files)
    }

    private func owner(_ name: String) -> [UInt8] {
        WireName.joined(name, below: WireName.joined(Self.zone, below: [0]))
    }

    private func text(_ serials: some Sequence<UInt64>, sequence: UInt64 = 12, zone: String = zone) throws -> String {
        try signer.revocationText(serials, sequence: sequence, zone: zone)
    }

    @Test("It becomes two TXT records with a TTL of 1, which transfers and exports contain; without it neither exists")
    func records() throws {
        let list = try signer.revocations([3, 5, 9], sequence: 12, zone: Self.zone)
        let compiled = compile("# list 12\n" + RevocationText.write(list))
        #expect(compiled.problems == ExampleZone.compile().problems)
        let content = try #require(compiled.contents.first)
        #expect(content.revocations?.sequence == 12 && content.revocations?.serials == 3)
        #expect(content.revocations?.source == .init(file: "reflector.net.revocations", line: 2))
        let short = try #require(content.records.first { $0.owner == owner("revocations") })
        #expect(short.type == 16 && short.ttl == 1)
        #expect(
            RecordText.text(type: 16, short.data)
                == "\"sequence=12\" \"serials=3\" \"issued=1790000000\" \"bytes=\(list.encoded.count)\"")
        let long = try #require(content.records.first { $0.owner == owner("list.revocations") })
        #expect(long.type == 16 && long.ttl == 1)
        #expect(try RevocationRecords.list(in: long.data) == list)
        #expect(content.revocationData == long.data)
        let transferred = IteratorSequence(try AliasedZone(content).records).filter { $0.ttl == 1 && $0.type == 16 }
        #expect(Set(transferred.map(\.owner)) == [owner("revocations"), owner("list.revocations")])

        let without = try #require(compile(nil).contents.first)
        #expect(without.revocations == nil && without.revocationData == nil)
        #expect(!without.records.contains { WireName.isWithin($0.owner, owner("revocations")) })
    }

    @Test("A full list of 4,096 serials compiles, and its zone can be exported")
    func full() throws {
        let compiled = compile(try text(1...4_096))
        #expect(!compiled.hasErrors, "\(compiled.errors)")
        let content = try #require(compiled.contents.first)
        #expect(try RevocationRecords.list(in: #require(content.revocationData)).content.serials.count == 4_096)
        let exported = try ZoneExport.text(content)
        #expect(exported.contains("list.revocations"))
    }

    @Test("Hostile files are refused, with file, line and column, beside the problems of the other files")
    func hostile() throws {
        let good = try text([1, 2])
        let list = try signer.revocations(1...4_096, sequence: 1, zone: Self.zone)
        var bytes = list.encoded
        bytes[1 + 1 + Self.zone.utf8.count + 8 + 5 + 8 + 3] = 1
        bytes.insert(contentsOf: [0, 0, 0, 0, 0, 0, 0x10, 1], at: bytes.count - 64)
        let many = "revocation-list " + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() + "\n"
        let cases: [(text: String, expected: String)] = [
            (try text([1], zone: "other.net"), ":1:17: the list is of the zone other.net, not of reflector.net;"),
            (String(good.dropLast(2)), ": an odd number of digits"),
            (String(good.dropLast(1)), ": the last line has no newline"),
            (many, ":1:17: not a revocation list: more than 4096 serials;"),
            (good + "revocation-list 00\n", ":1:17: not a revocation list: bytes follow its end;"),
            ("", ":1:1: no revocation list;"), ("# only a comment\n", ":1:1: no revocation list;"),
            (good.uppercased(), ":1:1: unknown word;"), ("\u{0}\n", ":1:1: unknown word;"),
            ("\u{feff}" + good, ":1:1: the file begins with a UTF-8 byte order mark;"),
            (good + "xyz\n", ": unknown word;"),
        ]
        for (text, expected) in cases {
            let compiled = compile(text, zone: ExampleZone.zone + "bad A 1\n")
            #expect(compiled.contents.isEmpty)
            let found = compiled.errors.filter { $0.file == "reflector.net.revocations" }.map(\.description)
            #expect(found.contains { $0.contains(expected) }, "\(expected): \(found)")
            #expect(compiled.errors.contains { $0.file == "reflector.net.zone" })
        }
        let alone = ZoneCompiler.compile(files: [("reflector.net.revocations", Array(good.utf8))])
        #expect(alone.errors.first?.message.hasPrefix("no reflector.net.zone beside it;") == true)
    }

    @Test("The zone file may own neither name, nor any below them, list or not")
    func reserved() throws {
        for line in ["revocations TXT x", "list.revocations TXT x", "x.revocations A 127.0.0.1", "Revocations NS ns1"] {
            for text in [nil, try text([1])] {
                let compiled = compile(text, zone: ExampleZone.zone + line + "\n")
                let message = compiled.errors.first?.message ?? ""
                #expect(
                    message.hasPrefix("names under 'revocations' are made from ZONE.revocations and can't be written"),
                    "\(line): \(compiled.errors)")
            }
        }
        let child = ZoneCompiler.compile(files: [
            ("reflector.net.zone", Array(ExampleZone.zone.utf8)),
            (
                "revocations.reflector.net.zone",
                Array("$TTL 60\n@ SOA ns1 h 1 3600 600 604800 5\n@ NS ns1\nns1 A 127.0.0.1\n".utf8)
            ),
        ])
        #expect(child.errors.contains { $0.message.hasPrefix("a zone below 'revocations' would hide names") })
    }

    @Test("A difference of two generations shows a long list as its length, not as a hundred thousand characters")
    func difference() throws {
        let before = try #require(compile(try text(1...4_000)).contents.first)
        let after = try #require(compile(try text(1...4_001, sequence: 13)).contents.first)
        let changes = ZoneDiff(from: [before], to: [after]).changes
        #expect(changes.count == 2)
        #expect(changes.allSatisfy { $0.kind == "record" && $0.text.utf8.count < 300 }, "\(changes)")
        #expect(changes.contains { $0.text.contains("sequence=13") })
    }
}
