import ReflectorModel
import Testing

@testable import HTTPServing

@Suite("The table of HTTP connections")
struct ConnectionTableTests {
    private static let second: Int64 = 1_000_000_000

    private func address(_ number: UInt32) -> IPAddress { IPAddress(v4: 0x0a00_0000 + number) }

    private func admit(
        _ table: inout ConnectionTable, _ number: UInt32, at now: Int64
    ) -> (id: ConnectionTable.ID?, evicted: ConnectionTable.ID?, event: ConnectionEvent?) {
        switch table.admit(address(number), at: now) {
        case .admitted(let id, let evicted, let event): (id, evicted, event)
        case .refused(let event): (nil, nil, event)
        }
    }

    @Test("One address gets only its share: one connection more evicts its own longest-idle one")
    func perAddress() throws {
        var table = ConnectionTable(connectionsMax: 100, perAddressMax: 3, closesBusy: false)
        let first = try #require(admit(&table, 1, at: 0).id)
        let second = try #require(admit(&table, 1, at: 1).id)
        let third = try #require(admit(&table, 1, at: 2).id)
        table.busy(first, at: 3)
        let fourth = admit(&table, 1, at: 4)
        #expect(fourth.evicted == second && fourth.event == .evictedOfAddress)
        table.busy(third, at: 5)
        table.busy(try #require(fourth.id), at: 5)
        #expect(admit(&table, 1, at: 6).event == .refusedOfAddress)
        #expect(admit(&table, 2, at: 6).event == nil)
        #expect(table.count == 4)
        table.idle(third, at: 7)
        #expect(admit(&table, 1, at: 8).evicted == third)
    }

    @Test(
        "A full table evicts connections without a request first, then the one that is idle longest, never a viewer"
    )
    func full() throws {
        var table = ConnectionTable(connectionsMax: 3, perAddressMax: 3, closesBusy: false)
        let viewer = try #require(admit(&table, 1, at: 0).id)
        table.busy(viewer, at: 1)
        let player = try #require(admit(&table, 2, at: 2).id)
        table.busy(player, at: 3)
        table.idle(player, at: 4)
        let stranger = try #require(admit(&table, 3, at: 5).id)
        // The stranger has only just connected and may still send a request, so the idle player is evicted.
        let early = admit(&table, 4, at: 6)
        #expect(early.evicted == player && early.event == .evictedIdle)
        let late = admit(&table, 5, at: 5 + Self.second)
        #expect(late.evicted == stranger)
        for id in [early.id, late.id] { table.busy(try #require(id), at: 6 + Self.second) }
        #expect(admit(&table, 6, at: 7 + Self.second).event == .refusedFull)
        table.remove(viewer)
        #expect(admit(&table, 6, at: 8 + Self.second).event == nil)
    }

    @Test("If all answers are short, a full table evicts even the oldest request, so that a health check is admitted")
    func closesBusy() throws {
        var table = ConnectionTable(connectionsMax: 2, perAddressMax: 2, closesBusy: true)
        let oldest = try #require(admit(&table, 1, at: 0).id)
        let other = try #require(admit(&table, 2, at: 1).id)
        table.busy(oldest, at: 2)
        table.busy(other, at: 3)
        let check = admit(&table, 3, at: 4)
        #expect(check.evicted == oldest && check.event == .evictedBusy)
    }

    @Test("100,000 connections of 30,000 addresses never exceed the table's size, and leave nothing behind")
    func churn() {
        var table = ConnectionTable(connectionsMax: 500, perAddressMax: 20, closesBusy: false)
        var held: [ConnectionTable.ID] = []
        for number in 0..<UInt32(100_000) {
            let now = Int64(number) * 1_000_000
            if let id = admit(&table, number % 30_000, at: now).id {
                held.append(id)
                if number % 3 == 0 { table.busy(id, at: now) }
                if number % 6 == 0 { table.idle(id, at: now) }
            }
            // Some connections end. Each is removed twice and then reported idle; some were evicted before.
            if number % 2 == 0, let id = held.popLast() {
                table.remove(id)
                table.remove(id)
                table.idle(id, at: now)
            }
            #expect(table.count <= 500)
            #expect(table.addressCount <= table.count)
        }
        for id in held { table.remove(id) }
        #expect(table.count == 0 && table.addressCount == 0)
    }

    @Test("Addresses of one IPv6 /64 count together")
    func prefix() {
        var table = ConnectionTable(connectionsMax: 10, perAddressMax: 1, closesBusy: false)
        _ = table.admit(IPAddress(high: 7, low: 1), at: 0)
        guard case .admitted(_, let evicted, .evictedOfAddress) = table.admit(IPAddress(high: 7, low: 2), at: 1) else {
            Issue.record("another address of the same /64 is admitted beside the first")
            return
        }
        #expect(evicted != nil)
    }
}

@Suite("Rules for request heads")
struct RequestRulesTests {
    @Test("Targets in absolute form are treated as their path and query")
    func absoluteForm() {
        for (target, path) in [
            ("/live/news.ts", "/live/news.ts"), ("http://a.example/live/news.ts?x=1", "/live/news.ts?x=1"),
            ("http://a.example", "/"), ("http://a.example?x", "/?x"), ("*", "*"),
            ("/a?u=http://b/c", "/a?u=http://b/c"),
            ("HTTP://[::1]:8080/x", "/x"),
        ] {
            #expect(RequestRules.originForm(target) == path, "\(target)")
        }
    }
}
