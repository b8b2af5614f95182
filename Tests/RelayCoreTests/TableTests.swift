import ReflectorModel
import RelayWire
import Testing

@testable import RelayCore

@Suite("Packet log and sequence index")
struct PacketLogTests {
    private let tag = IncarnationTag(7)

    private func append(_ log: PacketLog, _ sequence: UInt64, at milliseconds: Int64 = 0) -> Int32 {
        withUnsafeBytes(of: sequence) {
            log.append(
                tag: tag, sequence: SequenceNumber(sequence), arrival: instant(milliseconds),
                isFiller: false, $0)
        }
    }

    @Test("A packet is found by its number until the log has overwritten it")
    func overwrites() {
        let log = PacketLog(packetsMax: 64, span: .seconds(6))
        var index = SequenceIndex(tag: tag)
        for sequence in UInt64(1)...100 { index.insert(sequence, slot: append(log, sequence)) }
        #expect(index.slot(36, in: log) == nil)
        for sequence in UInt64(37)...100 {
            let slot = index.slot(sequence, in: log)
            #expect(slot.map { log.bytes($0).loadUnaligned(as: UInt64.self) } == sequence)
        }
        #expect(did(&index) { $0.trim(log, horizon: .zero) } == 37)
    }

    @Test("The log uses no more slots than its time span needs; if the rate rises, fresh slots come before needed ones")
    func growsWithTheRate() {
        let log = PacketLog(packetsMax: 4_096, span: .seconds(6))
        // 10 packets a second for a minute: 61 of them are at most 6 s old.
        for number in UInt64(1)...600 { _ = append(log, number, at: Int64(number) * 100) }
        #expect(log.lap == 61)
        var slots: [(sequence: UInt64, slot: Int32)] = []
        for number in UInt64(601)...2_600 { slots.append((number, append(log, number, at: 60_001))) }
        #expect(log.lap <= 61 + 2_000)
        var index = SequenceIndex(tag: tag)
        for (sequence, slot) in slots { index.insert(sequence, slot: slot) }
        let held = slots.filter { index.slot($0.sequence, in: log) != nil }
        #expect(held.count == 2_000)
    }

    @Test("A sudden rise of the rate does not overwrite the packets of the last seconds")
    func slowPacketsSurvive() {
        let log = PacketLog(packetsMax: 4_096, span: .seconds(6))
        var slow: [(sequence: UInt64, slot: Int32)] = []
        for number in UInt64(1)...95 { slow.append((number, append(log, number, at: Int64(number) * 100))) }
        for number in UInt64(1_000)...3_000 { _ = append(log, number, at: 9_501) }
        // The packets of the last six seconds are those from 3.6 s on.
        for (sequence, slot) in slow.dropFirst(35) { #expect(log.holds(slot, tag, SequenceNumber(sequence))) }
    }

    @Test("A packet with the same number but of another incarnation is not mistaken for one of this incarnation")
    func tagsDiffer() {
        let log = PacketLog(packetsMax: 64, span: .seconds(6))
        let slot = append(log, 5)
        #expect(log.holds(slot, tag, SequenceNumber(5)))
        #expect(!log.holds(slot, IncarnationTag(8), SequenceNumber(5)))
    }

    @Test("The index handles gaps, late numbers and wide jumps, and finds only stored packets")
    func sparse() {
        let log = PacketLog(packetsMax: 4_096, span: .seconds(6))
        var index = SequenceIndex(tag: tag)
        var held: Set<UInt64> = []
        var random = SeededGenerator(seed: 3)
        for _ in 0..<2_000 {
            let sequence = 100_000 + random.next(upperBound: 30_000)
            guard !index.refuses(sequence), !held.contains(sequence) else { continue }
            index.insert(sequence, slot: append(log, sequence))
            held.insert(sequence)
        }
        for sequence in UInt64(99_990)...130_010 {
            #expect((index.slot(sequence, in: log) != nil) == held.contains(sequence), "\(sequence)")
        }
        #expect(index.refuses(index.highest + SequenceIndex.windowMax + 1))
        #expect(index.refuses(index.highest - SequenceIndex.windowMax))
    }

    @Test("Trimming drops packets that are older than the ring")
    func trims() {
        let log = PacketLog(packetsMax: 4_096, span: .seconds(6))
        var index = SequenceIndex(tag: tag)
        for sequence in UInt64(1)...50 { index.insert(sequence, slot: append(log, sequence, at: Int64(sequence))) }
        #expect(did(&index) { $0.trim(log, horizon: instant(20)) } == 20)
        #expect(index.slot(19, in: log) == nil)
        #expect(did(&index) { $0.trim(log, horizon: instant(1_000)) } == 51)
    }
}

@Suite("Parent directory")
struct ParentDirectoryTests {
    private let name = ReflectorName.parents(.first, RegionID(1283), PortsetID(4096))

    private func finish(
        _ directory: inout ParentDirectory, _ result: LookUpResult, at milliseconds: Int64
    ) -> ParentDirectory.Outcome {
        var random = SeededGenerator(seed: 1)
        return directory.finish(name, result, at: instant(milliseconds), random: &random)
    }

    private func answer(_ host: String, serial: UInt32 = 1) -> LookUpAnswer {
        let endpoint = Endpoint(address: IPAddress(v4: 0x7f00_0001), port: 4900)
        return LookUpAnswer(
            hosts: [ResolvedHost(name: host, endpoint: endpoint, priority: 0, weight: 1)], ttlSeconds: 20,
            serial: serial)
    }

    @Test("A name is looked up once, and again in the second half of its TTL")
    func renewal() {
        var directory = ParentDirectory(countMax: 4)
        #expect(did(&directory) { $0.use(name, at: instant(0)) } == .ask)
        #expect(did(&directory) { $0.use(name, at: instant(1)) } == .nothing)
        #expect(directory.isUndecided(name, at: instant(1)))
        #expect(finish(&directory, .records(answer("a")), at: 2) == .changed)
        #expect(did(&directory) { $0.dueRenewals(at: instant(9_000)) }.isEmpty)
        #expect(did(&directory) { $0.use(name, at: instant(9_000)) } == .nothing)
        #expect(did(&directory) { $0.dueRenewals(at: instant(20_100)) } == [name])
        #expect(finish(&directory, .records(answer("a")), at: 20_101) == .confirmed)
        #expect(finish(&directory, .records(answer("a", serial: 2)), at: 20_102) == .unchanged)
        #expect(finish(&directory, .failed(.timedOut), at: 20_103) == .failed)
        #expect(finish(&directory, .records(answer("a", serial: 2)), at: 20_104) == .unchanged)
    }

    @Test("NXDOMAIN, NODATA and silence keep the last good parents")
    func keeps() {
        var directory = ParentDirectory(countMax: 4)
        _ = directory.use(name, at: instant(0))
        _ = finish(&directory, .records(answer("a")), at: 1)
        for result in [LookUpResult.noSuchName(serial: 2), .noData(serial: 3)] {
            #expect(finish(&directory, result, at: 2) == .kept)
        }
        #expect(finish(&directory, .failed(.timedOut), at: 3) == .failed)
        #expect(directory.answer(name, at: instant(4))?.hosts.first?.name == "a")
        #expect(directory.serial == 3)
    }

    @Test("A restored answer serves only once the servers have been silent or failed")
    func restored() {
        var directory = ParentDirectory(countMax: 4)
        directory.restore(name, answer("old"), at: instant(0))
        #expect(did(&directory) { $0.use(name, at: instant(10)) } == .ask)
        #expect(directory.answer(name, at: instant(20)) == nil)
        #expect(directory.answer(name, at: instant(700))?.hosts.first?.name == "old")
        #expect(finish(&directory, .records(answer("new")), at: 800) == .changed)
        #expect(directory.answer(name, at: instant(801))?.hosts.first?.name == "new")
    }

    @Test("An urgent look-up is made at most once a second")
    func urgency() {
        var directory = ParentDirectory(countMax: 1)
        _ = directory.use(name, at: instant(0))
        _ = finish(&directory, .records(answer("a")), at: 1)
        #expect(!did(&directory) { $0.urge(name, at: instant(500)) })
        #expect(did(&directory) { $0.urge(name, at: instant(1_000)) })
        #expect(!did(&directory) { $0.urge(name, at: instant(5_000)) })
    }

    @Test("All nodes rank hosts alike, each host once, and the loss of one moves no other")
    func ranking() {
        let hosts = (1...5).flatMap { number in
            (0..<2).map { address in
                ResolvedHost(
                    name: "h\(number)",
                    endpoint: Endpoint(address: IPAddress(v4: UInt32(number * 10 + address)), port: 1),
                    priority: 0, weight: 1)
            }
        }
        let all = LookUpAnswer(hosts: hosts, ttlSeconds: 1)
        let order = all.ranked(region: RegionID(1), portset: PortsetID(2), by: AddressOrder()).map(\.host.name)
        #expect(order.sorted() == ["h1", "h2", "h3", "h4", "h5"])
        let fewer = LookUpAnswer(hosts: hosts.reversed().filter { $0.name != order[2] }, ttlSeconds: 1)
        #expect(
            fewer.ranked(region: RegionID(1), portset: PortsetID(2), by: AddressOrder()).map(\.host.name)
                == order.filter { $0 != order[2] })
    }

    @Test("Edge regions spread evenly over the hosts of a set region, and a host that is added takes only its share")
    func spread() {
        let hosts = (1...5).map {
            ResolvedHost(
                name: "nyc-\($0)", endpoint: Endpoint(address: IPAddress(v4: UInt32($0)), port: 1), priority: 0,
                weight: 100)
        }
        let regions = 1_000..<UInt32(3_000)
        for count in 2...4 {
            let (few, more) = (Array(hosts.prefix(count)), Array(hosts.prefix(count + 1)))
            let before = regions.map { first(of: $0, few) }
            let after = regions.map { first(of: $0, more) }
            for host in few {
                let share = before.count { $0 == host.name }
                #expect(share * count * 10 < regions.count * 12, "\(host.name) of \(count): \(share)")
            }
            let moved = zip(before, after).filter { $0 != $1 }
            #expect(moved.allSatisfy { $0.1 == hosts[count].name })
            #expect(moved.count * (count + 1) * 10 < regions.count * 12, "\(moved.count)")
        }
    }

    private func first(of region: UInt32, _ hosts: [ResolvedHost]) -> String {
        LookUpAnswer(hosts: hosts, ttlSeconds: 1)
            .ranked(region: RegionID(region), portset: PortsetID(4_096), by: AddressOrder())[0].host.name
    }
}

@Suite("Small state")
struct SmallStateTests {
    private let endpoint = Endpoint(address: IPAddress(v4: 1), port: 1)

    @Test("A penalty doubles with every failure, ends with recovery, and a parent counts as steady only after a while")
    func penalties() {
        var table = PenaltyTable()
        #expect(table.isSteady(endpoint, for: .seconds(30), at: instant(0)))
        table.fail(endpoint, first: .seconds(2), most: .seconds(30), at: instant(0))
        #expect(table.isAvoided(endpoint, at: instant(1_999)))
        #expect(!table.isAvoided(endpoint, at: instant(2_000)))
        table.fail(endpoint, first: .seconds(2), most: .seconds(30), at: instant(2_000))
        #expect(table.isAvoided(endpoint, at: instant(5_999)))
        table.wellNow(endpoint, at: instant(6_000))
        #expect(!table.isAvoided(endpoint, at: instant(6_000)))
        #expect(!table.isSteady(endpoint, for: .seconds(30), at: instant(35_999)))
        #expect(table.isSteady(endpoint, for: .seconds(30), at: instant(36_000)))
    }

    @Test("After a minute of health a penalty starts from its first value")
    func penaltyIsForgotten() {
        var table = PenaltyTable()
        for _ in 0..<4 { table.fail(endpoint, first: .seconds(2), most: .seconds(30), at: instant(0)) }
        table.wellNow(endpoint, at: instant(0))
        table.fail(endpoint, first: .seconds(2), most: .seconds(30), at: instant(60_000))
        #expect(!table.isAvoided(endpoint, at: instant(62_000)))
    }

    @Test("If all parents failed, the one that failed longest ago may be tried first")
    func soonestToTry() {
        var table = PenaltyTable()
        let parents = (1...3).map { Endpoint(address: IPAddress(v4: $0), port: 1) }
        for (parent, failed) in zip(parents, [3_000, 1_000, 2_000]) {
            table.fail(parent, first: .seconds(4), most: .seconds(30), at: instant(Int64(failed)))
        }
        let order = parents.sorted {
            table.avoidedUntil($0, at: instant(3_000)) < table.avoidedUntil($1, at: instant(3_000))
        }
        #expect(order == [parents[1], parents[2], parents[0]])
        #expect(table.avoidedUntil(endpoint, at: instant(9_000)) == instant(9_000))
    }

    @Test("The round-trip time is smoothed as in RFC 6298, and impossible values are ignored")
    func roundTrip() {
        var trip = RoundTrip()
        #expect(trip.retransmitTimeout == .milliseconds(100))
        trip.sample(.milliseconds(40))
        #expect(trip.smoothed == .milliseconds(40))
        #expect(trip.retransmitTimeout == .milliseconds(120))
        trip.sample(.milliseconds(-1))
        trip.sample(.seconds(31))
        #expect(trip.smoothed == .milliseconds(40))
        for _ in 0..<60 { trip.sample(.milliseconds(40)) }
        #expect(trip.retransmitTimeout == .milliseconds(42))
        #expect(trip.silenceMax(atLeast: .milliseconds(300)) == .milliseconds(300))
    }

    @Test("A peer that answers late on purpose delays the end of a dead link by 3 s at most")
    func lateOnPurpose() {
        var trip = RoundTrip()
        for _ in 0..<60 { trip.sample(.seconds(29)) }
        #expect(trip.silenceMax(atLeast: .milliseconds(300)) == .seconds(3))
        #expect(trip.silenceMax(atLeast: .seconds(8)) == .seconds(8))
    }

    @Test("A sleep is noticed although what was read after it has put off every timer")
    func sleep() {
        var clock = NodeClock(startedAt: .zero)
        clock.noteWakeUp(dueAt: instant(1_000), at: instant(11_000))
        // A timer that was due has been put off.
        clock.noteWakeUp(dueAt: instant(12_000), at: instant(11_001))
        let (catchesUp, length) = (clock.isCatchingUp, clock.sleep.length)
        #expect(catchesUp && length == .seconds(10))
        let isLate = [instant(11_002), instant(12_000)].map { clock.endCatchingUp(at: $0) }
        #expect(isLate == [true, false])
        let judgeFrom = clock.judgeSilenceFrom
        #expect(judgeFrom > instant(11_002))
    }

    @Test("An echo gives the round trip minus the time that it was held")
    func echo() {
        var echo = TimestampEcho()
        #expect(echo.fields(at: instant(5)).timestamp == 0)
        echo.note(TimestampEcho.stamp(instant(10)), at: instant(900))
        let fields = echo.fields(at: instant(950))
        #expect(fields.delayMicroseconds == 50_000)
        let trip = TimestampEcho.roundTrip(
            fields.timestamp, delayMicroseconds: fields.delayMicroseconds, at: instant(100))
        #expect(trip == .milliseconds(40))
        #expect(TimestampEcho.roundTrip(0, delayMicroseconds: 0, at: instant(1)) == nil)
        #expect(TimestampEcho.roundTrip(.max, delayMicroseconds: .max, at: instant(1)) == nil)
    }

    @Test("An announcement list changes only when all pages of a version have come, and its digest is the sender's")
    func announcements() throws {
        let source = NodeID(name: "ep-bos")
        let entries = try ["live/a", "live/b", "live/c"].enumerated().map { number, text in
            Announce.Entry(
                stream: try #require(StreamName(text)), portset: PortsetID(UInt16(number)),
                incarnation: Incarnation(high: 1, low: UInt64(number)))
        }
        func page(_ number: UInt16, of pages: UInt16, version: UInt64, _ list: [Announce.Entry]) -> Announce {
            Announce(PageHeader(version: version, page: number, pages: pages), entries: list)
        }
        var list = AnnouncementList()
        let whole = page(0, of: 1, version: 1, [entries[0]])
        let first = page(0, of: 2, version: 2, [entries[0], entries[1]])
        let second = page(1, of: 2, version: 2, [entries[2]])
        for (one, changes) in [(whole, true), (second, false), (first, false), (second, true)] {
            let outcome = did(&list) { $0.take(one, source: source, room: 100, at: instant(0)) }
            #expect(outcome == (changes ? .replaced : .incomplete))
        }
        #expect(list.version == 2)
        #expect(list.count == 3)
        let digest = entries.reduce(UInt64(0)) {
            $0 &+ AnnouncementList.digest(of: $1, source: source)
        }
        #expect(list.digest == digest)
        let empty = page(0, of: 1, version: 3, [])
        #expect(did(&list) { $0.take(empty, source: source, room: 100, at: instant(0)) } == .replaced)
        #expect(list.count == 0)
        #expect(list.digest == 0)
    }

    @Test("Timers fire soonest first, equal ones in order of scheduling, and stale ones do not fire")
    func timers() {
        var queue = TimerQueue()
        var a = Wakeup()
        var b = Wakeup()
        queue.schedule(.stream(1), at: instant(9), &a)
        queue.schedule(.stream(2), at: instant(5), &b)
        queue.schedule(.stream(1), at: instant(5), &a)
        queue.schedule(.stream(1), at: instant(7), &a)
        #expect(queue.count == 3)
        #expect(did(&queue) { $0.popDue(at: instant(4)) } == nil)
        #expect(did(&queue) { $0.popDue(at: instant(5)) }?.owner == .stream(2))
        #expect(did(&queue) { $0.popDue(at: instant(5)) }?.owner == .stream(1))
        #expect(queue.first?.at == instant(9) && !a.take(instant(9)), "stale: the owner woke earlier")
        queue.removeFirst()
        #expect(queue.first == nil)
    }

    @Test("The arrival rate is that of the recent past")
    func arrivalRate() {
        var rate = ArrivalRate()
        #expect(rate.perSecond(at: instant(0)) == 0)
        for millisecond in stride(from: Int64(0), to: 3_000, by: 5) { rate.note(at: instant(millisecond)) }
        #expect(abs(rate.perSecond(at: instant(3_000)) - 200) < 5)
        #expect(rate.perSecond(at: instant(30_000)) < 5)
    }
}
