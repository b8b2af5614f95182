/// A permitted difference of another server's answers from ours, with its reason. Any other difference is a failure.
struct PermittedDifference: Sendable {
    var title: String
    var reason: String
    /// The server with this difference; nil for every server.
    var peer: String?
    var isAllowed: @Sendable (DifferentialQuery, _ ours: CanonicalReply?, _ theirs: CanonicalReply?) -> Bool

    static let all: [PermittedDifference] = aliases + protocols + servers

    /// Differences that come from the aliased form of a zone (design §4).
    private static let aliases = [
        PermittedDifference(
            title: "a CNAME or DNAME query for a synthesised name",
            reason: "the aliased form has a CNAME or DNAME at or above the name; the flat form has none"
        ) { query, ours, theirs in
            [5, 39].contains(query.type) && query.isSynthesised && ours?.answers == []
                && [0, 3].contains(ours?.rcode) && theirs?.rcode == 0
        },
        PermittedDifference(
            title: "maps and parents",
            reason: "these names exist only in the aliased form"
        ) { query, ours, theirs in
            ["maps", "parents"].contains(query.top) && ours?.rcode == 3 && [0, 3].contains(theirs?.rcode)
        },
        PermittedDifference(
            title: "truncated because of the aliases",
            reason: "the chain of aliases and the answer do not fit into one message; our answer without the chain does"
        ) { query, ours, theirs in
            query.isSynthesised && theirs?.isTruncated == true && ours?.isTruncated == false && theirs?.rcode == 0
        },
        PermittedDifference(
            title: "explain and _status",
            reason: "only our server has these names: they are never exported, and refused to this client"
        ) { query, ours, theirs in
            ["explain", "_status"].contains(query.top) && ours?.rcode == 5 && theirs?.rcode == 3
        },
    ]

    /// Differences where the RFCs leave a choice, or where the query has no correct answer.
    private static let protocols = [
        PermittedDifference(
            title: "EDNS options that not all servers know",
            reason:
                "NSD does not know client subnet, which we answer with scope 0 (RFC 7871 §7.2.1); Knot answers EXPIRE "
                + "(RFC 7314), which is useful to secondaries"
        ) { _, ours, theirs in
            guard let ours, let theirs else { return false }
            return CanonicalReply.differsByOptions(ours, theirs)
        },
        PermittedDifference(
            title: "ANY",
            reason: "RFC 8482: we and Knot each return one RRset, but not the same one; NSD truncates over UDP"
        ) { query, ours, theirs in
            query.type == 255 && (theirs?.isTruncated == true || (ours?.rcode == theirs?.rcode && ours?.rcode == 0))
        },
        PermittedDifference(
            title: "ANY for CHAOS names", reason: "we and NSD return the TXT record, Knot refuses", peer: "Knot"
        ) { query, _, theirs in query.recordClass == 3 && query.type == 255 && theirs?.rcode == 5 },
        PermittedDifference(
            title: "additional records of answers",
            reason:
                "a server need not send addresses of NS, MX and SRV targets (RFC 2181 §5.4.1): Knot sends them if they "
                + "fit, NSD with minimal-responses only those of NS, we only those of our own SRV; glue is compared"
        ) { _, ours, theirs in
            guard var mine = ours, let theirs, mine.flags & theirs.flags & 0x0400 != 0 else { return false }
            let (a, b) = (Set(mine.additional), Set(theirs.additional))
            guard a.isSubset(of: b) || b.isSubset(of: a) else { return false }
            mine.additional = theirs.additional
            return CanonicalReply.differsByOptions(mine, theirs)
        },
        PermittedDifference(
            title: "a CNAME into another zone of the same server",
            reason:
                "we stop at the end of the zone, because resolvers trust no records beyond it (RFC 2181 §5.4.1); Knot "
                + "returns a referral, NSD follows the CNAME"
        ) { query, ours, theirs in
            guard let ours, let theirs, ours.rcode == 0, ours.answers.contains(where: query.leadsElsewhere) else {
                return false
            }
            return Set(ours.answers).isSubset(of: theirs.answers)
        },
        PermittedDifference(
            title: "class ANY",
            reason:
                "an answer for all classes is not authoritative (RFC 1035 §6.2): we and NSD clear AA, Knot sets it; "
                + "NSD omits the SOA of negative answers, and additional records"
        ) { query, ours, theirs in
            guard query.recordClass == 255, let ours, let theirs else { return false }
            return ours.rcode == theirs.rcode && ours.answers == theirs.answers && (ours.flags & 0x0400) == 0
        },
        PermittedDifference(
            title: "an unknown server cookie",
            reason: "Knot asks for a retry with BADCOOKIE, we and NSD answer at once; RFC 7873 §5.2.3 allows both",
            peer: "Knot"
        ) { _, ours, theirs in
            guard let cookie = ours?.cookie, theirs?.rcode == 23, theirs?.answers == [] else { return false }
            return cookie == theirs?.cookie
        },
        PermittedDifference(
            title: "AXFR and IXFR over UDP",
            reason: "answered REFUSED, NOTIMP or NOTAUTH; transfers have tests of their own"
        ) { _, ours, theirs in
            [251, 252].contains(ours?.askedType) && ours?.answers == [] && theirs?.answers == []
                && [4, 5, 9].contains(theirs?.rcode)
        },
        PermittedDifference(
            title: "operations other than QUERY",
            reason:
                "incomplete NOTIFY and UPDATE messages are answered FORMERR, REFUSED, NOTAUTH, NXDOMAIN or NOTIMP"
        ) { query, ours, theirs in
            [4, 5].contains(query.operation) && ours?.answers == [] && theirs?.answers == []
        },
        PermittedDifference(
            title: "the question in an error",
            reason: "FORMERR, NOTIMP and REFUSED may repeat the question or omit it; NSD's FORMERR also clears RD"
        ) { query, ours, theirs in
            guard var mine = ours, let theirs, mine.rcode == theirs.rcode, [1, 4, 5].contains(mine.rcode) else {
                return false
            }
            mine.question = theirs.question
            mine.flags = (mine.flags & ~0x0100) | (theirs.flags & 0x0100)
            if mine.rcode != 5 { mine.edns = theirs.edns }
            return CanonicalReply.difference(mine, theirs).isEmpty
        },
        PermittedDifference(
            title: "strictness with malformed messages",
            reason:
                "one server answers FORMERR where another skips or ignores the error, or drops the query: bytes after "
                + "the message, an OPT with an owner, records beside the question, two OPTs, a name that is too long"
        ) { query, ours, theirs in
            query.kind == .malformed && (ours?.rcode == 1 || theirs?.rcode == 1 || theirs == nil)
        },
    ]

    /// Behaviour for which a server has no option.
    private static let servers = [
        PermittedDifference(
            title: "NSD's limit on errors",
            reason: "it sends at most 100 error replies a second, a limit set at build time", peer: "NSD"
        ) { _, ours, theirs in theirs == nil && [1, 4, 5, 9, 16].contains(ours?.rcode) },
        PermittedDifference(
            title: "NSD clears DO in BADVERS",
            reason: "we and Knot copy it (RFC 3225 §3)", peer: "NSD"
        ) { _, ours, theirs in
            guard var mine = ours, let theirs, mine.rcode == 16 else { return false }
            mine.edns?.dnssecOK = theirs.edns?.dnssecOK ?? false
            return CanonicalReply.difference(mine, theirs).isEmpty
        },
        PermittedDifference(
            title: "DNSSEC types at an alias",
            reason:
                "RRSIG, NSEC and NSEC3 may exist beside a CNAME (RFC 4034 §2.5): in an unsigned zone, Knot answers "
                + "NODATA for the first two and NSD for the third; we and the other server follow the alias"
        ) { query, ours, theirs in
            [46, 47, 50].contains(query.type) && [0, 3].contains(ours?.rcode) && theirs?.rcode == 0
                && ours?.answers.contains { $0.contains(" 1 5 ") } == true && theirs?.answers == []
        },
        PermittedDifference(
            title: "Knot and type 0", reason: "reserved (RFC 6895 §3.1): Knot answers NOTIMP, we and NSD look it up",
            peer: "Knot"
        ) { _, ours, theirs in ours?.askedType == 0 && theirs?.rcode == 4 },
    ]
}

extension CanonicalReply {
    /// Type in the question of the reply; a damaged query may ask for a type other than `DifferentialQuery.type`.
    var askedType: UInt16? {
        question.count > 4 ? question.suffix(4).prefix(2).reduce(0) { $0 << 8 | UInt16($1) } : nil
    }

    /// The cookie option, as a line of text.
    var cookie: String? { edns?.options.first { $0.hasPrefix("10 ") } }

    /// True if only options differ that one server knows and another does not: client subnet, EXPIRE.
    static func differsByOptions(_ a: CanonicalReply, _ b: CanonicalReply) -> Bool {
        var (a, b) = (a, b)
        a.edns?.options.removeAll { $0.hasPrefix("8 ") || $0.hasPrefix("9 ") }
        b.edns?.options.removeAll { $0.hasPrefix("8 ") || $0.hasPrefix("9 ") }
        return difference(a, b).isEmpty
    }
}

extension DifferentialQuery {
    /// Opcode.
    var operation: UInt8 { bytes.count > 2 ? bytes[2] >> 3 & 15 : 0 }

    /// The label below the zone; empty at the apex and outside.
    var top: String {
        guard let zone = DifferentialZones.names.first(where: { name.hasSuffix("." + $0) }) else { return "" }
        return name.dropLast(zone.count + 1).split(separator: ".").last.map(String.init) ?? ""
    }

    /// True if `line` is a CNAME record whose target is in a different zone than the queried name.
    func leadsElsewhere(_ line: String) -> Bool {
        let words = line.split(separator: " ")
        guard words.count == 5, words[3] == "5" else { return false }
        return Self.zone(of: words[4].dropLast()) != Self.zone(of: name[...])
    }

    private static func zone(of name: Substring) -> String? {
        DifferentialZones.names.filter { name == $0 || name.hasSuffix("." + $0) }.max { $0.count < $1.count }
    }

    /// True at and below `s{P}`, `r{R}`, `maps` and `parents`.
    var isSynthesised: Bool { FlattenedAnswer.isSynthesised(name) }
}
