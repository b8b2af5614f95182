import ReflectorModel
import Testing

@testable import DNSService

/// A NOTIFY leaves from the address that the secondary knows, whatever the order of the listeners.
struct NotifySourceTests {
    private let loopback = IPAddress("127.0.0.1")!
    private let public1 = IPAddress("192.0.2.1")!
    private let public2 = IPAddress("192.0.2.2")!
    private let secondary = IPAddress("198.51.100.7")!
    private let any = IPAddress("0.0.0.0")!

    @Test func `loopback is never the source of what goes to another host, in whatever order`() {
        for listening in [[loopback, public1], [public1, loopback]] {
            #expect(NotifySource.choose(to: secondary, listening: listening, routed: public1) == public1)
        }
        #expect(NotifySource.choose(to: secondary, listening: [loopback], routed: public1) == public1)
    }

    @Test func `a listener's address goes before the route's own where only that one is listened on`() {
        #expect(NotifySource.choose(to: secondary, listening: [public2], routed: public1) == public2)
        #expect(NotifySource.choose(to: secondary, listening: [public2, public1], routed: public1) == public1)
    }

    @Test func `with a wildcard listener the route decides`() {
        #expect(NotifySource.choose(to: secondary, listening: [any], routed: public1) == public1)
        #expect(NotifySource.choose(to: secondary, listening: [any], routed: nil) == any)
    }

    @Test func `a secondary on this host is told from loopback`() {
        let target = IPAddress("127.0.0.9")!
        #expect(NotifySource.choose(to: target, listening: [public1, loopback], routed: loopback) == loopback)
    }

    @Test func `each family has its own sources`() {
        let v6 = IPAddress("2001:db8::1")!
        let target = IPAddress("2001:db8::53")!
        #expect(NotifySource.choose(to: target, listening: [public1, v6], routed: v6) == v6)
        #expect(NotifySource.choose(to: target, listening: [public1], routed: nil) == IPAddress("::")!)
    }

    @Test func `this host's own addresses count as this host`() {
        let own = AddressBlock.ofThisHost()
        #expect(own.contains { $0.contains(loopback) })
        #expect(!own.contains { $0.contains(secondary) })
    }
}
