import Testing

@testable import ReflectorModel

@Suite("Addresses and endpoints as text")
struct EndpointTests {
    @Test(
        "IPv4 addresses are parsed and printed",
        arguments: [
            ("0.0.0.0", 0), ("127.0.0.1", 0x7f00_0001), ("255.255.255.255", 0xffff_ffff), ("10.20.0.9", 0x0a14_0009),
        ] as [(String, UInt32)])
    func v4(text: String, value: UInt32) throws {
        let address = try #require(IPAddress(text))
        #expect(address.isV4)
        #expect(address.v4 == value)
        #expect(address == IPAddress(v4: value))
        #expect(address.description == text)
    }

    @Test(
        "IPv6 addresses are parsed, and printed as in RFC 5952",
        arguments: [
            ("::", 0, 0, "::"), ("::1", 0, 1, "::1"), ("1::", 0x0001_0000_0000_0000, 0, "1::"),
            ("2001:db8::1", 0x2001_0db8_0000_0000, 1, "2001:db8::1"),
            ("2001:DB8:0:0:1:0:0:1", 0x2001_0db8_0000_0000, 0x0001_0000_0000_0001, "2001:db8::1:0:0:1"),
            ("2001:db8:0:1:1:1:1:1", 0x2001_0db8_0000_0001, 0x0001_0001_0001_0001, "2001:db8:0:1:1:1:1:1"),
            ("1:2:3:4:5:6:7::", 0x0001_0002_0003_0004, 0x0005_0006_0007_0000, "1:2:3:4:5:6:7:0"),
            ("fe80::0123:4567", 0xfe80_0000_0000_0000, 0x0123_4567, "fe80::123:4567"),
            ("64:ff9b::192.0.2.33", 0x0064_ff9b_0000_0000, 0xc000_0221, "64:ff9b::c000:221"),
        ] as [(String, UInt64, UInt64, String)])
    func v6(text: String, high: UInt64, low: UInt64, printed: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address == IPAddress(high: high, low: low))
        #expect(!address.isV4)
        #expect(address.description == printed)
        #expect(IPAddress(printed) == address)
    }

    @Test("An IPv4-mapped address is parsed as the IPv4 address")
    func mapped() {
        #expect(IPAddress("::ffff:127.0.0.1") == IPAddress("127.0.0.1"))
    }

    @Test("Every random address equals the address parsed from its text")
    func roundTrip() {
        var random = SeededGenerator(seed: 51)
        for _ in 0..<5_000 {
            // Masks of whole groups, so that runs of zeros of every length occur.
            func word() -> UInt64 {
                let keep = random.next()
                return (0..<4).reduce(0) { $0 << 16 | (keep >> UInt64($1) & 1 == 0 ? 0 : random.next() & 0xffff) }
            }
            let address = IPAddress(high: word(), low: word())
            #expect(IPAddress(address.description) == address)
        }
    }

    @Test(
        "Text that is not an address is refused",
        arguments: [
            "", ".", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.+4", "1.2.3.", " 1.2.3.4", "1.2.3.4 ",
            "1.2.3.0x4", "٣.2.3.4", ":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::",
            "::12345", "::g", "::-1", "::+1", ":1:2:3:4:5:6:7", "1:2:3:4:5:6:7:", "::1.2.3", "::1%lo",
            "[::1]", "1::1.2.3.4:5",
        ])
    func notAnAddress(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test(
        "Endpoints are parsed and printed",
        arguments: ["127.0.0.1:5300", "[::1]:53", "[2001:db8::9]:65535", "10.0.0.1:0"])
    func endpoint(text: String) throws {
        let endpoint = try #require(Endpoint(text))
        #expect(endpoint.description == text)
    }

    @Test(
        "Text that is not an endpoint is refused",
        arguments: [
            "", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1: 1", "127.0.0.1:x",
            "::1:53", "[::1]", "[::1]53", "[::1:53", "::1]:53", "[127.0.0.1]:53", "host:53", "[]:53",
        ])
    func notAnEndpoint(text: String) {
        #expect(Endpoint(text) == nil)
    }

    @Test("A dotted part before the end, a signed port and a padded port are refused")
    func lenient() {
        #expect(IPAddress("1.2.3.4::") == nil)
        #expect(Endpoint("127.0.0.1:+53") == nil)
        #expect(Endpoint("127.0.0.1:00053") == nil)
    }
}
