import DNSAnswers
import ReflectorModel
import Testing

@testable import ZoneCompiler

/// Makes zones of six set regions with a given map.
private enum Network {
    static func content(_ map: String, zone extra: String = "", regions: String = "r10-r29") throws -> ZoneContent {
        var zone = "$TTL 60\n@ SOA ns1 host 1 3600 600 604800 5\n@ NS ns1\nns1 A 192.0.2.1\nep AAAA 2001:db8::1\n"
        var portsets = "region \(regions)\n"
        for set in 0..<6 {
            zone += "h\(set) A 10.0.\(set).1\n"
            portsets += "setregion t\(set) id=r\(set) hosts=h\(set) capacity=10Gbps\n"
        }
        let compiled = ZoneCompiler.compile(files: [
            ("reflector.net.zone", Array((zone + extra).utf8)),
            ("reflector.net.portsets", Array((portsets + map).utf8)),
            ("reflector.net.streams", Array("stream a/* hash(0-65535) entrypoints=ep push\n".utf8)),
        ])
        #expect(!compiled.hasErrors, "\(compiled.errors)")
        return try #require(compiled.contents.first)
    }

    /// Rectangles at random positions, some of them without parents.
    static func random(_ random: inout SeededGenerator, lines: Int) -> String {
        var map = "map s* r* t0 t1 t2\n"
        for _ in 0..<lines {
            func range(_ low: Int, _ high: Int) -> (Int, Int) {
                let a = Int.random(in: low...high, using: &random)
                let b = Int.random(in: low...high, using: &random)
                return (min(a, b), max(a, b))
            }
            let (firstPortset, lastPortset) = range(0, 40)
            let (firstRegion, lastRegion) = range(12, 29)
            let parents = (0..<6).shuffled(using: &random).prefix(Int.random(in: 1...3, using: &random))
            let text = random.next() % 6 == 0 ? "none" : parents.map { "t\($0)" }.joined(separator: " ")
            map += "map s\(firstPortset)-s\(lastPortset) r\(firstRegion)-r\(lastRegion) \(text)\n"
        }
        return map
    }
}

private func records(_ cursor: ZoneRecordCursor) -> [ZoneRecord] { Array(IteratorSequence(cursor)) }

@Suite("The aliased form, record by record")
struct AliasedZoneTests {
    @Test("Records come in strictly ascending order, as many as announced")
    func order() throws {
        var random = SeededGenerator(state: 1)
        for lines in [0, 3, 30] {
            let zone = try AliasedZone(Network.content(Network.random(&random, lines: lines)))
            let all = records(zone.records)
            #expect(all.count + 1 == zone.recordCount)
            #expect(zip(all, all.dropFirst()).allSatisfy { $0 < $1 })
        }
    }

    @Test("A difference applied to the old records gives the new ones, for any two maps")
    func differences() throws {
        var random = SeededGenerator(state: 2)
        var before = try AliasedZone(Network.content(Network.random(&random, lines: 10)))
        for round in 0..<30 {
            let extra = round % 3 == 0 ? "www A 10.9.9.\(round)\nh0 A 10.0.0.2\n" : ""
            let regions = round % 4 == 3 ? "r12-r40" : "r10-r29"
            let map = Network.random(&random, lines: round % 5)
            let after = try AliasedZone(Network.content(map, zone: extra, regions: regions))
            let removed = Array(IteratorSequence(ZoneDifference(from: before, to: after, .removed)))
            let added = Array(IteratorSequence(ZoneDifference(from: before, to: after, .added)))
            let old = records(before.records)
            let gone = Set(removed.map(key))
            #expect(Set(old.map(key)).isSuperset(of: gone), "every removed record was in the old zone")
            let result = (old.filter { !gone.contains(key($0)) } + added).sorted()
            #expect(result == records(after.records))
            let count = ZoneDifference.count(from: before, to: after, limit: .max)
            #expect(count == removed.count + added.count)
            before = after
        }
    }

    @Test("Moving one portset to an existing class changes one record")
    func remap() throws {
        let common = "map s* r* t0 t1 t2\nmap s100-s199 r10-r19 t3 t4 t5\n"
        let before = try AliasedZone(Network.content(common))
        let after = try AliasedZone(Network.content(common + "map s200 r10-r19 t3 t4 t5\n"))
        let removed = Array(IteratorSequence(ZoneDifference(from: before, to: after, .removed)))
        let added = Array(IteratorSequence(ZoneDifference(from: before, to: after, .added)))
        #expect(removed.count == 1 && added.count == 1)
        #expect(removed.first?.owner == WireName.joined("s200.reflector.net", below: [0]))
        #expect(added.first?.type == 39)
        // Lines that divide regions without changing answers, and lines that come first, rename no class.
        let cut = try AliasedZone(Network.content("map s7 r* t5\n" + common + "map s100 r12 t3 t4 t5\n"))
        #expect(ZoneDifference.count(from: before, to: cut, limit: 10) == 0)
    }

    @Test("A new host address changes the host's RRsets and those of its unions, but no name of the map")
    func address() throws {
        let map = "map s* r* t0 t1 t2\nmap s100-s199 r10-r19 t3 t4 t5\n"
        let before = try AliasedZone(Network.content(map))
        let after = try AliasedZone(Network.content(map, zone: "h4 A 10.0.4.2\n"))
        let added = Array(IteratorSequence(ZoneDifference(from: before, to: after, .added)))
        #expect(added.allSatisfy { $0.type == 1 || $0.type == 28 })
        #expect(added.count == 3, "h4, t4.parents, and one union: \(added.map(\.owner))")
    }

    @Test("Classes stay distinct even if all hashes collide")
    func collisions() throws {
        let content = try Network.content("map s* r* t0 t1 t2\nmap s5 r10 t3\nmap s6 r11 t4\nmap s7-s9 r12 t5\n")
        let classes = try PortsetClasses(content, recordsMax: 1_000_000) { _, _ in 7 }
        #expect(classes.classes.count == 4)
        #expect(Set(classes.classes.map(\.hash) + classes.unions.map(\.hash)).count == 4 + classes.unions.count)
        let usual = try PortsetClasses(content, recordsMax: 1_000_000)
        #expect(Set(usual.classes.map(\.cells)) == Set(classes.classes.map(\.cells)))
    }

    @Test("The TXT of a set region changes only when its own answer does")
    func stamps() throws {
        let map = "map s* r* t0 t1 t2\n"
        let first = try Network.content(map).stamped(after: nil, serial: 5)
        #expect(first.setRegions.allSatisfy { $0.changedSerial == 5 })
        let second = try Network.content(map, zone: "h1 A 10.0.1.2\n").stamped(after: first, serial: 8)
        #expect(second.setRegions.map(\.changedSerial) == [5, 8, 5, 5, 5, 5])
        let third = try Network.content(map + "map s1 r10 t5\n", zone: "h1 A 10.0.1.2\n")
        #expect(third.stamped(after: second, serial: 9).setRegions.map(\.changedSerial) == [5, 8, 5, 5, 5, 5])
    }

    /// All parts of a record that are sent on the wire.
    private func key(_ record: ZoneRecord) -> [UInt8] {
        let numbers = [UInt32(record.type), record.ttl].flatMap { number in
            (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
        }
        return record.owner + numbers + record.data
    }

    private func owners(_ content: ZoneContent) throws -> Set<[UInt8]> {
        Set(records(try AliasedZone(content).records).map(\.owner))
    }

    @Test("After an edit the aliases that resolvers cache are still answered until their TTL has expired")
    func outliving() throws {
        let map = "map s* r* t0 t1 t2\nmap s100-s199 r10-r19 t3 t4 t5\n"
        let before = try Network.content(map)
        let edited = try Network.content("map s* r* t0 t1 t2 ttl=30\nmap s100-s199 r10-r19 t3 t5 t4\n")
        var after = edited
        let old = try owners(before)
        #expect(!old.isSubset(of: try owners(edited)), "an edit renames classes")
        let now: Int64 = 1_000_000
        after.outliving = OutlivingAliases.outliving(before, in: edited, at: now).outliving
        #expect(old.isSubset(of: try owners(after)))
        let zone = try AliasedZone(after)
        let all = records(zone.records)
        #expect(all.count + 1 == zone.recordCount)
        #expect(zip(all, all.dropFirst()).allSatisfy { $0 < $1 })
        // No record of the edit is lost or changed.
        let said = records(try AliasedZone(edited).records).map(key)
        #expect(Set(said).isSubset(of: Set(all.map(key))))

        // The next edit keeps what must still be answered, and drops it when its time is over.
        let soon = OutlivingAliases.outliving(after, in: before, at: now + 10).outliving
        var back = before
        back.outliving = soon
        #expect(try owners(after).isSubset(of: owners(back)))
        var later = try Network.content(map + "map s7 r10 t1\n")
        later.outliving = OutlivingAliases.outliving(back, in: later, at: now + 10_000).outliving
        let classes = try PortsetClasses(back, recordsMax: 1_000_000).classes
        let mine = try PortsetClasses(before, recordsMax: 1_000_000).classes.map(\.hash)
        let kept = (later.outliving?.classes ?? []).map(\.hash)
        #expect(Set(kept).isSubset(of: Set(mine)), "only the classes of the previous zone are kept")
        #expect(classes.count > mine.count)
    }

    @Test("A removed set region is still answered, unchanged, for as long as resolvers may cache aliases to it")
    func outlivingSets() throws {
        let before = try Network.content("map s* r* t0 t1 t5\nmap s9 r10 none\n")
        var after = before
        after.setRegions.removeLast()
        after.rules = [after.rules[0]]
        after.rules[0].parents = [0, 1]
        after.outliving = OutlivingAliases.outliving(before, in: after, at: 5).outliving
        let old = records(try AliasedZone(before).records).filter { $0.sortKey.section == .parents && $0.type != 16 }
        let new = Set(records(try AliasedZone(after).records).map(key))
        #expect(old.allSatisfy { new.contains(key($0)) })
        #expect(after.outliving?.sets.map(\.name).sorted() == ["none", "t5"])
        // A restored set region is answered from the files again.
        var back = before
        back.outliving = OutlivingAliases.outliving(after, in: before, at: 6).outliving
        #expect(back.outliving?.sets.isEmpty == true)
    }

    @Test("Endless edits keep a bounded number of records, those of the last edits first")
    func outlivingBound() throws {
        var content = try Network.content("map s* r* t0 t1 t2\n", regions: "r10-r9999")
        var dropped = 0
        for edit in 0..<20 {
            var next = try Network.content("map s* r* t0 t1 t2 ttl=\(100 + edit)\n", regions: "r10-r9999")
            let result = OutlivingAliases.outliving(content, in: next, at: 1_000 + Int64(edit))
            next.outliving = result.outliving
            dropped += result.dropped
            content = next
        }
        let zone = try AliasedZone(content)
        #expect(dropped > 0 && zone.recordCount < 140_000 + OutlivingAliases.recordsMin)
        #expect(content.outliving?.classes.map(\.until).max() == 1_019 + 20 + 118 + OutlivingAliases.margin)
    }
}
