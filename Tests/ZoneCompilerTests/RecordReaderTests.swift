import DNSAnswers
import LDNSKit
import Testing

@testable import ZoneCompiler

@Suite("Record data, read and written")
struct RecordReaderTests {
    private static let head = "$TTL 60\n@ SOA ns1 host 1 2 3 4 5\n@ NS ns1\nns1 A 127.0.0.1\n"

    private func compile(_ line: String) -> CompiledZones {
        ZoneCompiler.compile(files: [("reflector.net.zone", Array((Self.head + line + "\n").utf8))])
    }

    private func problems(_ line: String) -> [String] {
        compile(line).errors.map { "\($0.line):\($0.column) \($0.message)" }
    }

    @Test(
        "A number out of its field's range is refused at its position, and never wraps",
        arguments: [
            ("x MX 65536 ns1", "5:6"), ("x MX -1 ns1", "5:6"), ("x SRV 0 0 65536 ns1", "5:11"),
            ("x NAPTR 70000 10 \"s\" \"A\" \"\" .", "5:9"), ("x HTTPS 65536 . alpn=h2", "5:9"),
            ("x HTTPS 1 . port=70000", "5:13"), ("x CAA 256 issue \"a\"", "5:7"), ("x TLSA 3 1 257 0011", "5:12"),
            ("x SSHFP 256 1 00", "5:9"), ("x DS 70000 13 2 00", "5:6"), ("x LOC 91 0 0 N 0 0 0 E 0m", "5:7"),
            ("x LOC 90 0 1 N 0 0 0 E 0m", "5:7"), ("x LOC 1 N 181 E 0m", "5:11"), ("x LOC 1 N 1 E 42849673m", "5:15"),
            ("x APL 1:192.0.2.0/33", "5:7"), ("x TYPE65536 \\# 0", "5:3"), ("x TYPE65280 \\# 65536 00", "5:16"),
            ("x URI 65536 1 \"a\"", "5:7"), ("x CSYNC 4294967296 0 A", "5:9"), ("x TXT \"\\256\"", "5:7"),
            ("a\\256 A 1.2.3.4", "5:1"), ("x A 256.1.1.1", "5:5"), ("x 2147483648 A 1.2.3.4", "5:3"),
            ("x 99999999999999999999 A 1.2.3.4", "5:3"),
        ])
    func outOfRange(_ line: String, _ place: String) {
        let found = problems(line)
        #expect(found.count == 1 && found[0].hasPrefix(place + " "), "\(found)")
    }

    @Test(
        "Malformed data is refused: SvcParams, \\#, digests, bitmaps, names in wire form",
        arguments: [
            "x HTTPS 1 . alpn=h2 alpn=h3", "x HTTPS 1 . mandatory=alpn", "x HTTPS 1 . mandatory=mandatory alpn=h2",
            "x HTTPS 1 . no-default-alpn", "x HTTPS 1 . alpn=", "x HTTPS 1 . ipv4hint=1.2.3", "x HTTPS 1 . key65535=a",
            "x HTTPS 1 . port", "x SVCB 1 . key1=\"\\003h2\"", "x TYPE65280 \\# 2 00", "x TYPE65280 \\# 1 0",
            "x TYPE65280 \\# 1", "x TYPE65280 00", "x A \\# 3 7f0000", "x MX \\# 3 000ac0", "x MX \\# 4 000ac00c",
            "x NS \\# 2 0161", "x TXT \\# 2 0561", "x ZONEMD 1 1 1 0011", "x ZONEMD 1 1 240 00112233445566778899aa",
            "x DS 1 13 2 00", "x SSHFP 1 1 00", "x NSEC \\# 4 00000100", "x NSEC a", "x CAA 0 a-b \"c\"",
            "x CAA 0 \"\" \"c\"",
            "x EUI48 00-00-5e-00-53", "x NID 1 1:2:3", "x HINFO a", "x HINFO \"a\" \"b\" \"c\"", "x A 1.2.3.4 x",
            "x DHCID AAA", "x KEY 0 3 255", "x CDNSKEY 256 3 RSASHA256", "x SSHFP 1 1",
        ])
    func malformed(_ line: String) {
        #expect(problems(line).count == 1, "\(line): \(problems(line))")
    }

    @Test("A relative name in record data is refused if it exceeds 255 bytes with the zone's name, and accepted at 255")
    func longNames() {
        let label = String(repeating: "a", count: 63)
        // Three labels of 64 bytes, one more label, and the zone's 15 bytes: 255 in all.
        let fits = [label, label, label, String(repeating: "b", count: 47)].joined(separator: ".")
        for (type, before, behind) in [
            ("CNAME", "", ""), ("PTR", "", ""), ("RP", "", " ."), ("RP", ". ", ""), ("HTTPS", "1 ", ""),
            ("KX", "1 ", ""),
            ("NAPTR", "1 1 \"s\" \"A\" \"\" ", ""), ("NSEC", "", " A"), ("AFSDB", "1 ", ""), ("TALINK", ". ", ""),
            ("LP", "1 ", ""), ("PX", "1 . ", ""), ("MINFO", ". ", ""),
        ] {
            #expect(problems("x \(type) \(before)\(fits)\(behind)") == [], "\(type)")
            #expect(problems("x \(type) \(before)\(fits)b\(behind)").count == 1, "\(type)")
        }
    }

    @Test(
        "Formats that the RFCs allow are accepted",
        arguments: [
            "x CAA 0 issue ca.example", "x CLASS1 A 192.0.2.1", "x 300 CLASS1 TYPE16 \\# 4 03616263", "x APL",
            "x CLASS1 300 TYPE1 \\# 4 c0000201", "x IN 600 A 192.0.2.1", "x HTTPS 0 @", "x 1W IN TXT a", "x CNAME \\@",
            "x PTR a\\@b", "x TYPE65280 \\# 0", "x SSHFP \\# 2 0104",
            "x HTTPS 1 . alpn=\"h2,h3\" port=443", "x SVCB 1 a key65333=\"a b\"", "x SVCB 0 a", "x A ( 1.2.3.4 )",
            "x LOC 90 N 180 W -100000.00m 0m", "x CDS 0 0 0 00", "x CDNSKEY 0 3 0 AA==", "x CSYNC 0 0",
            "x IPSECKEY 10 0 0 .", "x AMTRELAY 10 0 0 .", "x NSEC3PARAM 1 0 0 -", "x AAAA ::ffff:192.0.2.1",
            "x RRSIG A 13 3 60 20301231235959 20200101000000 1 a AQID", "x TXT \"\"", "x 1h30m TXT a",
            "x HIP 2 200100107b1a74df365639cc39f1d578 AQID a b", "x WKS 192.0.2.1 tcp smtp 80",
        ])
    func allowed(_ line: String) {
        #expect(problems(line) == [])
    }

    @Test("RDATA that would not fit into a message with its names and signature is invalid")
    func tooLong() {
        #expect(RecordWire.problem(type: 65_280, [UInt8](repeating: 0, count: RecordWire.lengthMax)) == nil)
        let problem = RecordWire.problem(type: 65_280, [UInt8](repeating: 0, count: RecordWire.lengthMax + 1))
        #expect(problem?.contains("RDATA of 64001 bytes") == true)
    }

    @Test("A written record is read back as the same record")
    func roundTrip() throws {
        for line in [
            "x TXT \"$ORIGIN \\\" \\\\ ;\" \\000\\255 \"\"", "a\\\"b MX 10 a\\\"b\\;\\(\\).c.", "\\$x A 192.0.2.2",
            "\\@ CNAME \\@", "a\\.b\\032\\000\\255 RP \\$a @", "x LOC 52 14 05.123 S 0 8 30 W -1.50m 0m 100m 20m",
            "x APL !1:192.0.2.64/28 2:2001:db8::/32", "x SVCB 1 . mandatory=port,alpn alpn=h2,h3 port=1 key667=a",
            "x SVCB 1 . alpn=a\\\\,b", "x CAA 0 issue \"a;\\\" b\"", "x NSEC a A TXT TYPE65280",
            "x EUI48 00-00-5e-00-53-2a",
            "x NSEC3 1 1 2 aabb 2t7b4g4vsa5smi47k61mv5bv1a22bojr A", "x NID 1 14:4fff:ff20:ee64", "x GPOS 1.5 -2 3",
            "x AAAA ::ffff:192.0.2.1", "x HINFO \"a b\" c", "x TYPE65280 \\# 3 010203", "x DNSKEY 257 3 13 AQIDBA==",
            "x NAPTR 1 2 \"s\" \"SIP+D2U\" \"!^.*$!sip:a@b!\" .", "x ISDN 1", "x NSAP 0x47.0005",
            "x URI 1 2 \"a\\\"b\"",
        ] {
            let content = try #require(compile(line).contents.first, "\(line): \(problems(line))")
            let text = ZoneExport.text(of: content.records)
            let again = ZoneCompiler.compile(files: [("reflector.net.zone", Array(text.utf8))])
            let records = try #require(again.contents.first, "\(text): \(again.problems)").records
            #expect(records.map(\.data) == content.records.map(\.data), "\(line)\n\(text)")
            #expect(records.map(\.owner) == content.records.map(\.owner), "\(line)\n\(text)")
        }
    }

    @Test("Bytes that are not UTF-8 are kept: two owners stay distinct, and messages show them as \\DDD")
    func octets() throws {
        var bytes = Array(Self.head.utf8)
        bytes += Array("a".utf8) + [0xff] + Array(" A 1.2.3.4\na".utf8) + [0xfe] + Array(" TXT \"".utf8) + [0xc3, 0x28]
        bytes += Array("\" \\".utf8) + [0xfd] + Array("\n".utf8)
        let content = try #require(ZoneCompiler.compile(files: [("reflector.net.zone", bytes)]).contents.first)
        #expect(content.records.dropFirst(3).map { Array($0.owner.prefix(3)) } == [[2, 97, 0xff], [2, 97, 0xfe]])
        #expect(content.records.last?.data == [2, 0xc3, 0x28, 1, 0xfd])
        bytes += [0xff, 0xff] + Array(" A 1.2.3\n".utf8) + [0xfe] + Array(".org. A 1.2.3.4\n".utf8)
        let messages = ZoneCompiler.compile(files: [("reflector.net.zone", bytes)]).errors.map(\.message)
        #expect(messages.contains { $0.hasPrefix("'\\254.org' is outside") }, "\(messages)")
    }
}

extension ZoneExport {
    /// Records as a master file.
    fileprivate static func text(of records: [ZoneContent.Record]) -> String {
        let zone: [UInt8] = [9] + Array("reflector".utf8) + [3] + Array("net".utf8) + [0]
        let lines = records.map {
            RecordText.line(owner: $0.owner, type: $0.type, ttl: $0.ttl, data: $0.data, zone: zone) + "\n"
        }
        return lines.joined()
    }
}
