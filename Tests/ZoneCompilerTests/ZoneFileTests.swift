import DNSAnswers
import LDNSKit
import Testing

@testable import ZoneCompiler

@Suite("The .zone file")
struct ZoneFileTests {
    private let head = "$TTL 60\n@ SOA ns1 host 1 2 3 4 5\n@ NS ns1\nns1 A 127.0.0.1\n"

    private func problems(_ text: String) -> [String] {
        ZoneCompiler.compile(files: [("reflector.net.zone", Array((head + text).utf8))]).problems.map {
            "\($0.line):\($0.column) \($0.message)"
        }
    }

    @Test("Names, TTLs, classes, $ORIGIN, quotes and parentheses are read as in RFC 1035")
    func readsMasterFile() throws {
        let text = """
            $ORIGIN sub
            a 1h30m IN A 192.0.2.1
              IN 90m AAAA 2001:db8::1
            t TXT ( "semi;colon" plain ; comment (
               "pa(ren" )
            B\\.c.reflector.net. MX 10 a
            $ORIGIN reflector.net.
            * TXT "x"

            """
        let compiled = ZoneCompiler.compile(files: [("reflector.net.zone", Array((head + text).utf8))])
        #expect(compiled.problems == [], "\(compiled.problems)")
        let records = try #require(compiled.contents.first).records
        let lines = records.dropFirst(3).map {
            RecordText.line(owner: $0.owner, type: $0.type, ttl: $0.ttl, data: $0.data)
        }
        #expect(
            lines == [
                "a.sub.reflector.net.\t5400\tIN\tA\t192.0.2.1", "a.sub.reflector.net.\t5400\tIN\tAAAA\t2001:db8::1",
                "t.sub.reflector.net.\t60\tIN\tTXT\t\"semi;colon\" \"plain\" \"pa(ren\"",
                "b\\.c.reflector.net.\t60\tIN\tMX\t10 a.sub.reflector.net.", "*.reflector.net.\t60\tIN\tTXT\t\"x\"",
            ])
    }

    @Test(
        "Each mistake is reported at its position",
        arguments: [
            ("x A 1.2.3\n", "5:5 bad A data"), ("x A 1.2.3.4 5.6.7.8\n", "5:13 bad A data"),
            ("x A\n", "5:3 A record without"),
            ("x FOO 1\n", "5:3 'FOO' is not a record type"), ("x 5 IN\n", "5:1 no record type"),
            ("x A ( 1.2.3.4\n", "5:5 '(' is never closed"), ("x A 1.2.3.4 )\n", "5:13 ')' without '('"),
            ("x TXT \"abc\n", "5:7 string without"), ("x..y A 1.2.3.4\n", "5:1 'x..y' is not a domain name"),
            ("x.org. A 1.2.3.4\n", "5:1 'x.org' is outside"), ("$ORIGIN org.\n", "5:9 $ORIGIN org. is outside"),
            ("$TTL soon\n", "5:6 $TTL wants"), ("$FOO 1\n", "5:1 unknown control"),
            ("@ SOA ns1 h 2 2 3 4 5\n", "5:1 second SOA"),
            ("x SOA ns1 h 2 2 3 4 5\n", "5:1 SOA below"), ("x NS nope\n", "5:6 NS target nope.reflector.net has no"),
            ("x MX 5 y\ny CNAME ns1\n", "5:6 MX target y.reflector.net is a CNAME"),
            ("ns1 A 127.0.0.1\n", "5:1 same record"),
            ("ns1 9 A 127.0.0.2\n", "5:1 TTL 9 differs"), ("x CNAME a\nx CNAME b\n", "6:1 second CNAME"),
            ("x CNAME a\nx A 1.2.3.4\n", "5:1 CNAME beside"), ("a.sets A 1.2.3.4\n", "5:1 names under 'sets'"),
            ("r5 NS ns1\n", "5:1 names under 'r*'"), ("_status TXT x\n", "5:1 names under '_status'"),
            ("x A 1.2.3.4", "5:12 no newline"), ("x OPT x\n", "5:3 type OPT"), ("x DNAME y\n", "5:1 DNAME is not"),
        ])
    func findsMistake(_ text: String, _ expected: String) {
        let found = problems(text)
        #expect(found.count == 1 && found.allSatisfy { $0.hasPrefix(expected) }, "\(found)")
    }

    @Test("Host names that only begin like reserved names are allowed")
    func freeNames() {
        #expect(
            problems("sjc-1 A 127.0.2.1\nrome A 127.0.2.2\ns1x A 127.0.2.3\nset A 127.0.2.4\nx.s1.a A 1.2.3.4\n") == [])
    }

    @Test("Reading continues after an error, even after a parenthesis that is never closed")
    func goesOn() {
        #expect(problems("x A ( 1.2.3.4\ny A bad\nz FOO\n").map { String($0.prefix(4)) } == ["5:5 ", "6:5 ", "7:3 "])
    }

    @Test("A zone without SOA or NS is an error")
    func wantsApex() {
        let compiled = ZoneCompiler.compile(files: [("reflector.net.zone", Array("x 5 A 1.2.3.4\n".utf8))])
        #expect(compiled.problems.map { String($0.message.prefix(6)) } == ["no NS ", "no SOA"])
    }

    @Test("Records of one name are compared wherever they are, each with the first of its type")
    func recordSets() {
        let text = """
            x A 1.2.3.4
            y A 1.2.3.4
            x TXT a
            x A 1.2.3.5
            y TXT a
            x TXT a
            x 9 A 1.2.3.6
            y CNAME x

            """
        #expect(
            problems(text).map { $0.prefix { $0 != ";" } } == [
                "10:1 same record as on line 7",
                "11:1 TTL 9 differs from 60 on line 5 of the same RRset (RFC 2181 §5.2)",
                "12:1 CNAME beside other data (A on line 6)",
            ])
    }

    @Test("Names with escaped bytes match between hosts and records")
    func escapedNames() {
        #expect(WireName.relative([3, 97, 46, 98, 1, 99, 0], to: [1, 99, 0]) == "a\\.b")
        #expect(WireName.relative([2, 97, 95, 1, 45, 1, 99, 0], to: [1, 99, 0]) == "a_.-")
        #expect(WireName.relative([1, 99, 0], to: [1, 99, 0]) == "")
        #expect(WireName.relative([2, 98, 99, 0], to: [1, 99, 0]) == nil)
        // The bytes of the zone's name, but not at a label boundary.
        #expect(WireName.relative([3, 97, 1, 99, 0], to: [1, 99, 0]) == nil)
        #expect(WireName.firstLabelBelow([1, 99, 0], in: [1, 97, 1, 98, 1, 99, 0]) == [98])
        #expect(WireName.firstLabelBelow([1, 99, 0], in: [1, 99, 0]) == nil)
    }
}
