import DNSAnswers
import ZoneCompiler

/// A small zone for tests, changed by replacing text.
enum ExampleZone {
    static let zone = """
        $TTL 60
        @ SOA ns1 hostmaster ( 7 3600 600 ; comment
            604800 5 )
        @ NS ns1
        ns1 A 127.0.0.1
        ep-bos A 127.0.1.1
        ep-nyc A 127.0.1.2
        nyc-1 A 127.0.2.1
        nyc-2 A 127.0.2.2
        lon-1 A 127.0.2.3
        sjc-1 A 127.0.2.5
              AAAA 2001:db8::5
        edge-bos A 127.0.3.1

        """

    static let portsets = """
        default    portset=s0  port=4900  ttl=20
        setregion  nyc  id=r9001  hosts=nyc-1,nyc-2:4901  capacity=10Gbps  site=us-east
        setregion  lon  id=r9002  hosts=lon-1  capacity=10Gbps  site=eu-west
        setregion  sjc  id=r9003  hosts=sjc-1  capacity=4Gbps   site=us-west
        region     r1283        name=boston  hosts=edge-bos
        region     r1284-r1299  name=new-england
        map  s*           r*       nyc lon sjc
        map  s4096-s8191  r*       lon nyc sjc
        map  s4096        r1283    sjc nyc lon    ttl=5
        map  s1-s99       sjc      nyc lon

        """

    static let streams = """
        stream  live/news   s4096         entrypoints=ep-bos,ep-nyc  push
        stream  live/sport  s17           entrypoints=ep-nyc  pull=http://encoder.example/sport.ts  pullers=1
        stream  live/*      hash(0-4095)  entrypoints=ep-nyc  push   # by hash

        """

    /// Compiles the three files of `reflector.net`.
    static func compile(
        zone: String = zone, portsets: String = portsets, streams: String = streams
    ) -> CompiledZones {
        ZoneCompiler.compile(files: [
            ("reflector.net.zone", Array(zone.utf8)), ("reflector.net.portsets", Array(portsets.utf8)),
            ("reflector.net.streams", Array(streams.utf8)),
        ])
    }

    /// The content of files without errors.
    static func content(portsets: String = portsets, streams: String = streams, zone: String = zone) -> ZoneContent {
        let compiled = compile(zone: zone, portsets: portsets, streams: streams)
        guard let content = compiled.contents.first else { fatalError("\(compiled.problems)") }
        return content
    }
}
