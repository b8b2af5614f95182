import ReflectorModel
import Testing

@testable import StreamingServer

@Suite("Requests for streams that are not here")
struct NewNameRateLimiterTests {
    private let start = ContinuousClock.now
    private func address(_ number: UInt32) -> IPAddress { IPAddress(v4: 0xc000_0200 + number) }

    @Test("An address gets a burst, then waits longer and longer, then is refused, and recovers over time")
    func oneAddress() {
        let limit = NewNameRateLimiter()
        for _ in 0..<100 { #expect(limit.ask(address(1), at: start) == .admitted) }
        for number in 1...3 {
            #expect(limit.ask(address(1), at: start) == .wait(.milliseconds(100 * number)))
        }
        for _ in 0..<1_000 { #expect(limit.ask(address(1), at: start) == .refused) }
        #expect(limit.ask(address(2), at: start) == .admitted)
        // A refused request costs nothing.
        #expect(limit.ask(address(1), at: start + .seconds(4)) == .admitted)
    }

    @Test("A name that turns out to be a stream costs nothing: a proxy may request thousands")
    func refund() {
        let limit = NewNameRateLimiter()
        for number in 0..<5_000 {
            let now = start + .milliseconds(5 * number)
            #expect(limit.ask(address(1), at: now) == .admitted)
            limit.refund(address(1), at: now)
        }
    }

    @Test("Addresses that request repeatedly do not block an address that requests for the first time")
    func manyAddresses() {
        let limit = NewNameRateLimiter()
        var refused = 0
        for round in 0..<20 {
            for number in 0..<100 where limit.ask(address(UInt32(number)), at: start + .milliseconds(round)) == .refused
            {
                refused += 1
            }
        }
        #expect(refused > 0)
        #expect(limit.ask(address(200), at: start + .milliseconds(21)) == .admitted)
    }

    @Test("The table of addresses is bounded, drops those that owe nothing, and treats an IPv6 network as one address")
    func bounded() throws {
        let limit = NewNameRateLimiter(inAll: .init(interval: .zero, burst: 1, waitMax: .seconds(1)))
        for number in 0..<UInt32(NewNameRateLimiter.addressesMax + 1_000) {
            _ = limit.ask(IPAddress(v4: number), at: start)
        }
        #expect(limit.count == NewNameRateLimiter.addressesMax)
        #expect(limit.ask(IPAddress(v4: 1 << 30), at: start + .seconds(1)) == .admitted)
        #expect(limit.count == 1)
        for number in UInt64(0)..<1_000 {
            _ = limit.ask(IPAddress(high: 0x2001_0db8_0000_0001, low: number), at: start + .seconds(2))
        }
        #expect(limit.count == 2)
        #expect(limit.ask(IPAddress(high: 0x2001_0db8_0000_0001, low: 7), at: start + .seconds(2)) == .refused)
    }
}
