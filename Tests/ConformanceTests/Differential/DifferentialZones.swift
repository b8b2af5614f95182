/// The zones of the differential test: every kind of line that a zone's files can have, and names in them to query.
enum DifferentialZones {
    /// Zone names; the second has a wildcard at its apex, the third is a child of the first on the same servers.
    static let names = ["example.net", "wild.example", "child.example.net"]

    static let files: [(name: String, text: String)] = [
        ("example.net.zone", zone), ("example.net.portsets", portsets), ("example.net.streams", streams),
        ("wild.example.zone", wildZone), ("wild.example.portsets", wildPortsets),
        ("child.example.net.zone", childZone),
    ]

    private static let zone = """
        $TTL 60
        @ SOA Ns1 hostmaster ( 1 3600 600 604800 5 )
        @ NS ns1
        @ NS NS2
        @ MX 10 mail
        @ TXT "apex"
        @ CAA 0 issue "ca.example"
        ns1 A 127.0.0.1
        ns2 AAAA 2001:db8::2
        ns2 A 127.0.0.2
        mail A 127.0.0.3
        MiXed.CaSe 300 A 127.0.0.4
        MiXed.CaSe 300 AAAA 2001:DB8::4
        points PTR Mixed.Case
        web HTTPS 1 . alpn="h2"
        typed TYPE65280 \\# 4 01020304
        naptr NAPTR 100 10 "S" "SIP+D2U" "" _sip._udp.srv
        _sip._udp.srv SRV 10 20 5060 mail
        _sip._udp.srv SRV 20 20 5060 other.example.
        ep-a A 127.0.1.1
        ep-b AAAA 2001:db8::b
        ; aliases: a chain, one out of the zone, a loop, one to nothing, into a delegation, to a wildcard, to the map
        www CNAME MAIL
        chain1 CNAME chain2
        chain2 30 CNAME chain3
        chain3 CNAME www
        outside CNAME host.Other.Example.
        loop1 CNAME loop2
        loop2 CNAME loop1
        dangling CNAME nowhere.deep
        into-sub CNAME host.sub
        into-child CNAME host.child
        to-wild CNAME some.wild
        to-map CNAME n1.r10.s5
        to-region CNAME r10.s5
        to-stream CNAME anything.live.streams
        to-other CNAME x.wild.example.
        ; wildcards, names beside and below them
        *.wild A 127.0.9.9
        *.wild MX 5 mail
        host.wild A 127.0.9.10
        a.ent.wild A 127.0.9.11
        *.aliased CNAME mail
        *.star.wild TXT "deeper"
        ; empty non-terminals
        a.b.deep TXT "deep"
        c.b.deep A 127.0.9.12
        ; delegations: with glue, with glue of a sibling, without any, deeper, signed
        sub NS ns.sub
        sub NS ns2.sub
        sub DS 12345 13 2 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
        ns.sub A 127.0.8.8
        ns.sub AAAA 2001:db8::88
        ns2.sub A 127.0.8.9
        sibling NS ns.sub
        far NS ns1.other.example.
        x.y.cut NS ns.x.y.cut
        ns.x.y.cut A 127.0.8.10
        inside NS ns1
        child NS ns.child
        child DS 54321 13 2 1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100
        ns.child A 127.0.8.11
        ; large answers
        \(large("many", 40))
        \(large("lots", 120))
        big TXT \(String(repeating: "\"\(String(repeating: "x", count: 200))\" ", count: 5))
        bigger TXT \(String(repeating: "\"\(String(repeating: "y", count: 250))\" ", count: 12))
        \((0..<6).map { "h\($0)-1 A 127.0.\($0 + 20).1\nh\($0)-2 A 127.0.\($0 + 20).2" }.joined(separator: "\n"))
        \([0, 2, 4].map { "h\($0)-1 AAAA 2001:db8::\($0 + 1)" }.joined(separator: "\n"))
        \((1...30).map { "crowd-\($0) A 127.1.0.\($0)" }.joined(separator: "\n"))

        """

    private static func large(_ name: String, _ count: Int) -> String {
        (1...count).map { "\(name) A 127.2.0.\($0)" }.joined(separator: "\n")
    }

    private static let portsets = """
        default portset=s7 ttl=30
        \((0..<6).map { "setregion t\($0) id=r\(900 + $0) hosts=h\($0)-1,h\($0)-2:5000 capacity=\($0 + 1)Gbps" }
            .joined(separator: "\n"))
        setregion crowd hosts=\((1...30).map { "crowd-\($0)" }.joined(separator: ",")) capacity=1Gbps
        region r10-r29
        region r40
        map s0-s999 r* t0 t1 t2
        map s0-s99 r10-r19 t3 t4
        map s50-s149 r15-r25 t5 t0 t1 ttl=5
        map s120-s130 r* none
        map s300 r40 crowd t1
        map s301-s302 r10 t2 ttl=29
        map s100-s200 t0 t3 t4
        map s150 t3 t5
        map s9000 t1 t2

        """

    private static let streams = """
        stream live/news s5 entrypoints=ep-a,ep-b push
        stream live/* hash(0-900) entrypoints=ep-b push
        stream radio/one s150 entrypoints=ep-a push

        """

    private static let wildZone = """
        $TTL 90
        @ SOA ns1 hostmaster ( 1 3600 600 604800 30 )
        @ NS ns1
        @ NS ns1.example.net.
        ns1 A 127.0.0.9
        * A 127.0.7.1
        * TXT "anything else"
        host A 127.0.7.2
        \((0..<2).map { "h\($0) A 127.0.7.\($0 + 10)" }.joined(separator: "\n"))

        """

    private static let wildPortsets = """
        default portset=s0 ttl=10
        setregion a hosts=h0 capacity=1Gbps
        setregion b hosts=h1 capacity=2Gbps
        region r1-r5
        map s0-s20 r* a b

        """

    private static let childZone = """
        $TTL 120
        @ SOA ns hostmaster ( 1 3600 600 604800 15 )
        @ NS ns
        ns A 127.0.8.11
        host A 127.0.8.12
        www CNAME host
        up CNAME www.example.net.

        """

    /// Interesting names below `example.net`: each kind, and near misses.
    static let interesting = [
        "", "ns1", "NS2", "mail", "mixed.case", "MIXED.CASE", "case", "points", "web", "typed", "naptr",
        "_sip._udp.srv", "_udp.srv", "srv", "x.srv", "www", "x.www", "chain1", "chain2", "chain3", "outside", "loop1",
        "loop2", "dangling", "into-sub", "into-child", "to-wild", "to-map", "to-region", "to-stream", "to-other",
        "x.to-map", "x.wild", "x.y.wild", "wild", "*.wild", "x.*.wild", "host.wild", "x.host.wild", "ent.wild",
        "x.ent.wild", "a.ent.wild", "star.wild", "x.star.wild", "x.aliased", "aliased", "*.aliased", "x.y.aliased",
        "a.b.deep", "b.deep", "deep", "x.deep", "c.b.deep", "x.c.b.deep", "sub", "host.sub", "ns.sub", "ns2.sub",
        "x.ns.sub", "sibling", "x.sibling", "far", "x.far", "y.cut", "cut", "x.y.cut", "ns.x.y.cut", "q.x.y.cut",
        "inside", "x.inside", "child", "host.child", "www.child", "up.child", "nope.child", "ns.child", "many", "lots",
        "big", "bigger", "news.live.streams", "x.live.streams", "x.y.live.streams", "live.streams", "streams",
        "one.radio.streams", "two.radio.streams", "radio.streams", "x.news.live.streams", "*.live.streams",
        "ep-a.sets", "ep-b.sets", "ns1.sets", "sets", "n1.r10", "n3.r10", "r10", "n4.r10", "n1.r30", "r30",
        "n1.r900.s150", "n1.r903.s150", "n2.r903.s150", "r903.s150", "n1.r903.s151", "n1.r901.s9000", "s9000",
        "r901.s9000", "sets.s9000", "n1.r10.s9000", "nothing", "x.nothing", "n1.r010.s5", "n1.r10.s05", "r10.s05",
        "s05", "n01.r10.s5", "n1.r900", "a.n1.r10.s5", "N1.R10.S5", "x.s5", "sets.s5", "x.sets.s5", "s70000", "s-1",
        "r4294967296", "n1.r40.s300", "n2.r40.s300", "n0.r10.s5", "n10.r10.s5", "r.s5", "s", "r", "n1", "n1.s5",
        "maps", "c0.maps", "parents", "t0.parents", "explain", "n1.r10.s5.explain", "_status", "x._status",
        "s125", "r10.s125", "n1.r10.s125", "n1.r10.s50", "n1.r16.s50", "n3.r16.s50", "n3.r12.s50",
    ]

    /// Absolute names outside `example.net`.
    static let elsewhere = [
        "", "net", "example.com", "example.net.example", "xexample.net", "wild.example", "x.wild.example",
        "x.y.wild.example", "host.wild.example", "x.host.wild.example", "s5.wild.example", "s21.wild.example",
        "n1.r1.s5.wild.example", "n3.r1.s5.wild.example", "n1.r9.s5.wild.example", "x.s5.wild.example",
        "n1.r1.s21.wild.example", "n1.r1.wild.example", "n1.r9.wild.example", "r9.wild.example", "*.wild.example",
        "x.*.wild.example", "sets.s5.wild.example", "sets.wild.example", "x.sets.wild.example",
        "version.bind", "version.server", "id.server", "hostname.bind", "authors.bind", "x.id.server",
    ]
}
