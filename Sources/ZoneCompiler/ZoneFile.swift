import DNSAnswers
import LDNSKit
import ReflectorModel

/// A parsed `.zone` file: its records, and the data that the sidecars need. `RecordReader` reads each record's data.
/// This type reads the rest of the record and checks that it is in the zone. `ZoneFileChecks` checks which records may
/// be combined.
struct ZoneFile {
    /// Lower case, without the final dot.
    let zone: String
    /// Wire form of `zone`.
    let apex: [UInt8]
    let file: String
    var records: [ZoneContent.Record] = []
    /// The positions of each record's owner and RDATA; parallel to `records`.
    var places: [(owner: Word, data: Word)] = []
    /// Addresses by owner relative to the zone.
    var addresses: [String: [IPAddress]] = [:]
    /// Owners (absolute, wire form) of records that could not be read: no missing data is reported for them.
    var brokenOwners: Set<[UInt8]> = []

    /// Maximum TTL in seconds (RFC 2181 §8).
    static let ttlMax = 0x7fff_ffff

    init(zone: String, apex: [UInt8], file: String) {
        self.zone = zone
        self.apex = apex
        self.file = file
    }

    mutating func read(_ bytes: [UInt8], _ problems: inout ProblemList) {
        var origin = apex
        var defaultTTL: UInt32?
        var lastTTL: UInt32?
        var previous: [UInt8]?
        for entry in MasterFileEntry.read(bytes, &problems) {
            guard let first = entry.words.first else { continue }
            if !entry.ownerOmitted, first.text.hasPrefix("$") {
                control(entry, origin: &origin, defaultTTL: &defaultTTL, &problems)
                continue
            }
            var rest = entry.words[...]
            let ownerWord = first
            var owner: [UInt8]
            if entry.ownerOmitted {
                guard let known = previous else {
                    problems.error(
                        first, "the first record has no owner; begin its line with a name, or @ for the zone")
                    continue
                }
                owner = known
            } else {
                rest = rest.dropFirst()
                guard let name = name(first, origin: origin, &problems) else {
                    // Otherwise, following records that omit their owner would get the wrong owner.
                    previous = nil
                    continue
                }
                owner = name
                previous = owner
            }
            guard let head = RecordHead(&rest, behind: ownerWord, &problems) else {
                brokenOwners.insert(owner)
                continue
            }
            if head.ttl != nil { lastTTL = head.ttl }
            guard let ttl = head.ttl ?? defaultTTL ?? lastTTL else {
                problems.error(head.type, "record without a TTL; begin the file with $TTL 300, say")
                brokenOwners.insert(owner)
                continue
            }
            add(owner, ownerWord, head, rest, ttl: ttl, origin: origin, &problems)
        }
    }

    /// Reads RDATA and stores the record.
    private mutating func add(
        _ owner: [UInt8], _ ownerWord: Word, _ head: RecordHead, _ rest: ArraySlice<Word>, ttl: UInt32,
        origin: [UInt8], _ problems: inout ProblemList
    ) {
        let typeName = RecordSchema.name(head.number)
        // An APL record may have empty data (RFC 3123 §4), which means that there are no prefixes.
        guard !rest.isEmpty || head.number == RecordSchema.prefixesType else {
            problems.error(head.type, "\(typeName) record without data; write it behind the type")
            brokenOwners.insert(owner)
            return
        }
        let dataWord = rest.first ?? head.type
        let data: [UInt8]
        do throws(RecordError) {
            data = try RecordReader.read(type: head.number, rest, behind: head.type, origin: origin)
        } catch {
            problems.error(error.word, "bad \(typeName) data: \(error.message)")
            brokenOwners.insert(owner)
            return
        }
        guard WireName.isWithin(owner, apex) else {
            let text = LDNSName.text(owner) ?? ""
            problems.error(
                ownerWord, "'\(text)' is outside the zone \(zone); remove it, or drop its final dot if it is relative")
            return
        }
        records.append(
            ZoneContent.Record(
                owner: owner, type: head.number, ttl: ttl, data: data,
                source: .init(file: file, line: ownerWord.line)))
        places.append((ownerWord, dataWord))
        addAddress(owner, head.number, data, dataWord, &problems)
    }

    /// Stores the address of an A or AAAA record.
    private mutating func addAddress(
        _ owner: [UInt8], _ type: UInt16, _ data: [UInt8], _ word: Word, _ problems: inout ProblemList
    ) {
        guard type == LDNSType.a || type == LDNSType.aaaa, let address = IPAddress(bytes: data),
            let relative = WireName.relative(owner, to: apex)
        else { return }
        guard type == LDNSType.a || !address.isV4 else {
            problems.warning(
                word,
                "an IPv4-mapped address is nothing that a host can be reached at; write '\(relative) A \(address)'")
            return
        }
        addresses[relative, default: []].append(address)
    }

    private func name(_ word: Word, origin: [UInt8], _ problems: inout ProblemList) -> [UInt8]? {
        if word.text == "@" { return origin }
        do throws(LDNSError) {
            return WireName.lowercased(try LDNSName.wire(word.text, origin: origin))
        } catch {
            problems.error(word, "'\(word.text.prefix(80))' is not a domain name: \(error.message); correct it")
            return nil
        }
    }

    private func control(
        _ entry: MasterFileEntry, origin: inout [UInt8], defaultTTL: inout UInt32?, _ problems: inout ProblemList
    ) {
        let keyword = entry.words[0]
        let argument = entry.words.count == 2 ? entry.words[1] : nil
        switch keyword.text.uppercased() {
        case "$TTL":
            guard let argument, let ttl = RecordHead.ttl(argument.text) else {
                problems.error(argument ?? keyword, "$TTL wants one time in seconds: $TTL 300")
                return
            }
            defaultTTL = ttl
        case "$ORIGIN":
            guard let argument else {
                problems.error(keyword, "$ORIGIN wants one name: $ORIGIN \(zone).")
                return
            }
            guard let name = name(argument, origin: origin, &problems) else { return }
            guard WireName.isWithin(name, apex) else {
                problems.error(argument, "$ORIGIN \(argument.text) is outside the zone; use a name in \(zone).")
                return
            }
            origin = name
        case "$INCLUDE":
            problems.error(keyword, "$INCLUDE is not taken, since a generation is its own files; put the records here")
        default:
            problems.error(keyword, "unknown control entry '\(keyword.text.prefix(40))'; $ORIGIN and $TTL are known")
        }
    }
}

/// TTL, class and type of a record; TTL and class may be in either order.
struct RecordHead {
    var ttl: UInt32?
    var type: Word
    /// The type's number.
    var number: UInt16

    /// Reads these words and removes them from `rest`. Nil, with a report, if there is no known type or the class is
    /// not IN.
    init?(_ rest: inout ArraySlice<Word>, behind: Word, _ problems: inout ProblemList) {
        var seenClass = false
        while let word = rest.first {
            let upper = word.text.uppercased()
            if ttl == nil, let value = Self.ttl(word.text) {
                ttl = value
            } else if !seenClass, ["IN", "CH", "HS", "CS", "ANY", "NONE"].contains(upper) || upper.hasPrefix("CLASS") {
                guard upper == "IN" || upper == "CLASS1" else {
                    problems.error(word, "class \(word.text.prefix(20)) is not served; write IN, or leave it out")
                    return nil
                }
                seenClass = true
            } else {
                if ttl == nil, Self.isTime(word.text) {
                    problems.error(
                        word, "TTL '\(word.text.prefix(40))' is over \(ZoneFile.ttlMax) seconds (RFC 2181 §8); lower it"
                    )
                    return nil
                }
                guard let number = RecordSchema.number(upper) else {
                    problems.error(
                        word, "'\(word.text.prefix(40))' is not a record type; write A, AAAA, MX, TXT, SRV or similar"
                    )
                    return nil
                }
                // OPT and the query types (RFC 6895 §3.1) are not data.
                guard number != 0, number != LDNSType.opt, !(128...255).contains(number) else {
                    problems.error(word, "type \(upper) can't stand in a zone; remove the record")
                    return nil
                }
                type = word
                self.number = number
                rest = rest.dropFirst()
                return
            }
            rest = rest.dropFirst()
        }
        problems.error(behind, "no record type; write OWNER TYPE DATA, as 'nyc-1 A 127.0.2.1'")
        return nil
    }

    /// A time in seconds, from a number or from numbers with units (weeks to seconds) such as `1h30m`. Nil for anything
    /// else, and above the maximum TTL.
    static func ttl(_ text: String) -> UInt32? { seconds(text, max: ZoneFile.ttlMax).map { UInt32($0) } }

    /// Like `ttl`, but with `max` as the maximum.
    static func seconds(_ text: String, max: Int) -> Int? {
        var total = 0
        var number: Int?
        for byte in text.utf8 {
            if byte >= 48 && byte <= 57 {
                number = (number ?? 0) * 10 + Int(byte - 48)
            } else {
                guard let count = number, let unit = unit(byte) else { return nil }
                total += count * unit
                number = nil
            }
            guard (number ?? 0) <= max, total <= max else { return nil }
        }
        guard !text.isEmpty else { return nil }
        total += number ?? 0
        return total <= max ? total : nil
    }

    private static func unit(_ byte: UInt8) -> Int? {
        switch byte | 0x20 {
        case UInt8(ascii: "w"): 604_800
        case UInt8(ascii: "d"): 86_400
        case UInt8(ascii: "h"): 3_600
        case UInt8(ascii: "m"): 60
        case UInt8(ascii: "s"): 1
        default: nil
        }
    }

    /// True for text with the syntax of a time, whatever its value.
    private static func isTime(_ text: String) -> Bool {
        guard let first = text.utf8.first, first >= 48, first <= 57 else { return false }
        return text.utf8.allSatisfy { ($0 >= 48 && $0 <= 57) || unit($0) != nil }
    }
}
