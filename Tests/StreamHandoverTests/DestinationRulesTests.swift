import ReflectorModel
import Testing

@testable import StreamHandover

@Suite("Destinations of handed-out streams")
struct DestinationRulesTests {
    private let news = StreamName("live/news")!

    private func configuration(
        ranges: [String] = [], groups: [String] = [], allow: [String] = []
    ) -> HandoverConfiguration {
        var configuration = HandoverConfiguration(endpoint: Endpoint("127.0.0.1:0")!)
        configuration.ranges = ranges.compactMap { GroupRange($0) }
        configuration.groups = groups.compactMap { StreamGroup($0) }
        configuration.allow = allow.compactMap { CIDRBlock($0) }
        return configuration
    }

    private func find(
        _ stream: StreamName, _ wanted: String? = nil, isV4: Bool? = nil, in configuration: HandoverConfiguration,
        used: [String: StreamName] = [:]
    ) throws -> (String, Bool) {
        let rules = DestinationRules(configuration)
        let found = try rules.destination(of: stream, wanted: wanted.flatMap { Endpoint($0) }, isV4: isV4) {
            used["\($0)"]
        }
        return (found.destination.url, found.isCollision)
    }

    @Test("The group of a stream depends only on its name: these vectors never change")
    func vectors() throws {
        let range = try #require(GroupRange("239.1.0.0/16:5000,interface=lo"))
        let six = try #require(GroupRange("[ff15::1:0/112]:5000,interface=lo"))
        #expect(range.groups(for: news)[0] == Endpoint("239.1.160.255:5000"))
        #expect(six.groups(for: news)[0] == Endpoint("[ff15::1:a0ff]:5000"))
    }

    @Test("An option names multicast groups, a port above 1023, and the interface; anything else is refused")
    func options() {
        #expect(GroupRange("239.1.0.0/24:5000,interface=eth1,rtp") != nil)
        #expect(GroupRange("[ff15::/64]:5000,interface=eth1") != nil)
        #expect(StreamGroup("live/news=239.1.2.3:5000,interface=eth1") != nil)
        for text in [
            "239.1.0.0/24:5000", "192.0.2.0/24:5000,interface=eth1", "239.1.0.1/24:5000,interface=eth1",
            "239.1.0.0/24:53,interface=eth1", "224.0.0.0/3:5000,interface=eth1", "ff15::/64:5000,interface=eth1",
            "239.1.0.0/24:5000,interface=", "239.1.0.0/24:5000,interface=eth1,interface=eth2",
            "239.1.0.0/24:5000,interface=eth1,rtp,rtp", "239.1.0.0/24:5000,eth1", "",
        ] {
            #expect(GroupRange(text) == nil, "\(text)")
        }
        for text in ["live/news=192.0.2.1:5000,interface=eth1", "Live=239.1.2.3:5000,interface=eth1", "live/news="] {
            #expect(StreamGroup(text) == nil, "\(text)")
        }
    }

    @Test("A stream whose group another one uses gets the next group, and keeps it")
    func collisions() throws {
        let configuration = configuration(ranges: ["239.1.0.0/30:5000,interface=lo"])
        let other = try #require(StreamName("live/other"))
        let (first, isCollision) = try find(news, in: configuration)
        #expect(!isCollision)
        let place = String(first.dropFirst("udp://@".count))
        let (second, isSecondCollision) = try find(news, in: configuration, used: [place: other])
        #expect(isSecondCollision && second != first)
        let kept = String(second.dropFirst("udp://@".count))
        #expect(try find(news, in: configuration, used: [kept: news]).0 == second)
        let all = Dictionary(uniqueKeysWithValues: (0...3).map { ("239.1.0.\($0):5000", other) })
        #expect(throws: HandoverRefusal.noGroups) { try find(news, in: configuration, used: all) }
    }

    @Test("A stream's own group is its own, and no other stream gets it from the range")
    func ownGroups() throws {
        let configuration = configuration(
            ranges: ["239.1.0.0/32:5000,interface=lo"],
            groups: ["live/news=239.1.0.0:5000,interface=lo,rtp"])
        #expect(try find(news, in: configuration).0 == "rtp://@239.1.0.0:5000")
        let other = try #require(StreamName("live/other"))
        #expect(throws: HandoverRefusal.noGroups) { try find(other, in: configuration) }
        #expect(throws: HandoverRefusal.taken) { try find(other, "239.1.0.0:5000", in: configuration) }
    }

    @Test("Unicast goes to allowed hosts only: no other host, no service port, no broadcast, no group elsewhere")
    func targets() throws {
        let configuration = configuration(
            ranges: ["239.1.0.0/24:5000,interface=lo", "[ff15::/112]:5000,interface=lo"], allow: ["127.0.0.0/8"])
        #expect(try find(news, "127.0.0.7:5000", in: configuration).0 == "udp://@127.0.0.7:5000")
        #expect(try find(news, "239.1.0.9:5000", in: configuration).0 == "udp://@239.1.0.9:5000")
        #expect(try find(news, isV4: false, in: configuration).0.hasPrefix("udp://@[ff15::"))
        for wanted in [
            "192.0.2.7:5000", "127.0.0.7:53", "127.0.0.7:0", "255.255.255.255:5000", "127.255.255.255:5000",
            "239.2.0.1:5000", "239.1.0.9:5001", "224.0.0.1:5000", "0.0.0.0:5000", "[::]:5000", "[fe80::1]:5000",
            "[ff02::1]:5000", "[::1]:5000",
        ] {
            #expect(throws: HandoverRefusal.badTarget, "\(wanted)") { try find(news, wanted, in: configuration) }
        }
        let other = try #require(StreamName("live/other"))
        #expect(throws: HandoverRefusal.taken) {
            try find(news, "127.0.0.7:5000", in: configuration, used: ["127.0.0.7:5000": other])
        }
    }
}
