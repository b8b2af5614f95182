import DNSAnswers
import ReflectorModel
import Testing

@testable import DNSService
@testable import ZoneCompiler

/// A zone with streams, for tests of who leads them. Portset 1 has the root set reflectors a-1, a-2 and b-1, portset 2
/// only c-1.
enum ElectionZone {
    static let zone = """
        $TTL 60
        @ SOA ns1 hostmaster 1 3600 600 604800 5
        @ NS ns1
        ns1 A 127.0.0.1
        a-1 A 127.0.2.1
        a-2 A 127.0.2.2
        b-1 A 127.0.2.3
        c-1 A 127.0.2.4
        ep-bos A 127.0.3.1
        ep-nyc A 127.0.3.2
        ep-lon A 127.0.3.3

        """
    static let portsets = """
        setregion a hosts=a-1,a-2 capacity=10Gbps site=x
        setregion b hosts=b-1 capacity=10Gbps site=y
        setregion c hosts=c-1 capacity=10Gbps site=z
        region r1283 name=boston
        map s1 r* a b
        map s2 r* c

        """
    static let streams = """
        stream live/news s1 entrypoints=ep-bos,ep-nyc,ep-lon push
        stream live/* s1 entrypoints=ep-nyc,ep-lon push
        stream test/* s2 entrypoints=ep-nyc,ep-lon push

        """

    static func content(streams: String = streams) throws -> ZoneContent {
        let compiled = ZoneCompiler.compile(files: [
            ("example.net.zone", Array(zone.utf8)), ("example.net.portsets", Array(portsets.utf8)),
            ("example.net.streams", Array(streams.utf8)),
        ])
        #expect(!compiled.hasErrors, "\(compiled.errors)")
        return try #require(compiled.contents.first)
    }

    static func stream(_ text: String) throws -> StreamName { try #require(StreamName(text)) }
}
