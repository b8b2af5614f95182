import Logging
import NIOCore
import NIOPosix
import ReflectorModel
import TestSupport
import Testing

@testable import RelayService

/// Streams over UDP, as encoders send them.
extension IngestServerTests {
    private func udpConfiguration(_ listen: String = "127.47.0.1:0") throws -> IngestConfiguration {
        var configuration = try configuration()
        configuration.rawUDP = [.init(stream: try news(), listen: try endpoint(listen))]
        configuration.rateBitsPerSecondMax = 50_000_000
        return configuration
    }

    @Test("Pictures of 1 MB, each sent in one burst, at 50 Mb/s: nothing is dropped")
    func pictures() async throws {
        let sink = MemorySink()
        try await withServer(sink: sink, try udpConfiguration()) { server, _ in
            let port = try #require(server.rawUDPEndpoints.first)
            let encoder = try await DatagramPeer(host: "127.47.1.1")
            let stream = transportStream(packets: 5 * 5_320)
            for picture in stride(from: 0, to: stream.count, by: 5_320 * 188) {
                for start in stride(from: picture, to: picture + 5_320 * 188, by: 1_316) {
                    try await encoder.send(Array(stream[start..<start + 1_316]), to: port)
                }
                // 1 MB at 50 Mb/s.
                try await Task.sleep(for: .milliseconds(160))
            }
            #expect(await eventually { sink.now.bytes.count == stream.count })
            #expect(sink.now.bytes == stream)
            for cause in [IngestCounter.datagramOverRate, .datagramOverload, .datagramKernelDropped, .bytesOutOfSync] {
                #expect(server.counters.value(cause) == 0, "\(cause.rawValue)")
            }
            await encoder.close()
        }
    }

    @Test("An encoder that restarts on another port of its host is accepted at once; one on another host is refused")
    func restart() async throws {
        let sink = MemorySink()
        try await withServer(sink: sink, try udpConfiguration()) { server, _ in
            let port = try #require(server.rawUDPEndpoints.first)
            let stream = transportStream(packets: 7)
            let first = try await DatagramPeer(host: "127.47.1.1")
            try await first.send(stream, to: port)
            #expect(await eventually { sink.now.bytes.count == 1_316 })
            try await Task.sleep(for: .milliseconds(550))
            let other = try await DatagramPeer(host: "127.47.1.2")
            try await other.send(stream, to: port)
            #expect(await eventually { server.counters.value(.refusedBusy) == 1 })
            let second = try await DatagramPeer(host: "127.47.1.1")
            try await second.send(stream, to: port)
            #expect(await eventually { sink.now.opened.count == 2 && sink.now.bytes.count == 2_632 })
            for peer in [first, second, other] { await peer.close() }
        }
    }

    @Test("Datagrams that exceed the rate for too long are dropped, counted and logged with the remedy")
    func overRate() async throws {
        let sink = MemorySink()
        var configuration = try udpConfiguration()
        configuration.rateBitsPerSecondMax = 1_000_000
        configuration.datagramBurstBytes = 100_000
        let log = LogCollector()
        try await withServer(sink: sink, configuration, logger: log.logger) { server, _ in
            let port = try #require(server.rawUDPEndpoints.first)
            let encoder = try await DatagramPeer(host: "127.47.1.1")
            let stream = transportStream(packets: 7 * 200)
            for start in stride(from: 0, to: stream.count, by: 1_316) {
                try await encoder.send(Array(stream[start..<start + 1_316]), to: port)
            }
            #expect(await eventually { server.counters.value(.datagramOverRate) > 100 })
            #expect(await eventually { sink.now.bytes.count >= 100_000 })
            let lines = log.lines.filter { $0.contains("faster than --ingest-rate-max") }
            #expect(lines.count == 1)
            #expect(
                lines.first?.contains("stream=live/news") == true && lines.first?.contains("remedy=raise it") == true)
            await encoder.close()
        }
    }

    @Test("A multicast group is joined, limited to one source if one is given", arguments: [false, true])
    func multicast(isSourceNamed: Bool) async throws {
        let sink = MemorySink()
        var configuration = try configuration()
        let named = isSourceNamed ? ",source=127.0.0.1" : ""
        let text = "live/news=232.47.0.1:\(isSourceNamed ? 47_001 : 47_002),interface=lo\(named)"
        configuration.rawUDP = [try #require(IngestConfiguration.RawPort(text))]
        try await withServer(sink: sink, configuration) { server, _ in
            let port = try #require(server.rawUDPEndpoints.first)
            let stream = transportStream(packets: 70)
            let encoder = try await DatagramPeer(host: "127.0.0.1")
            try await encoder.sendGroups()
            for start in stride(from: 0, to: stream.count, by: 1_316) {
                try await encoder.send(Array(stream[start..<start + 1_316]), to: port)
            }
            #expect(await eventually { sink.now.bytes == stream })
            await encoder.close()
        }
    }

    @Test(
        "A group is joined again on an interface that was removed and re-created, as tunnels are (avahi#417)",
        .enabled(if: TestInterface.isAllowed))
    func newInterface() async throws {
        let sink = MemorySink()
        var configuration = try configuration()
        configuration.rejoinAfter = .milliseconds(300)
        let interface = try TestInterface("reflector-t0", address: "198.51.100.9/24")
        defer { interface.remove() }
        configuration.rawUDP = [
            try #require(
                IngestConfiguration.RawPort("live/news=239.47.0.4:47004,interface=reflector-t0,source=198.51.100.9"))
        ]
        try await withServer(sink: sink, configuration) { server, _ in
            let port = try #require(server.rawUDPEndpoints.first)
            let stream = transportStream(packets: 7)
            interface.remove()
            try interface.make()
            let encoder = try await DatagramPeer(host: "198.51.100.9")
            try await encoder.sendGroups(from: 0xc633_6409)
            #expect(
                await eventually {
                    try? await encoder.send(stream, to: port)
                    return !sink.now.bytes.isEmpty
                })
            await encoder.close()
        }
    }

    @Test("A port's text may have a group, an interface and a source; any other word is refused")
    func portText() throws {
        let port = try #require(IngestConfiguration.RawPort("live/news=[ff15::1]:5000,source=fe80::1,interface=eth0"))
        #expect(port.isGroup && port.interface == "eth0" && port.source == IPAddress("fe80::1"))
        #expect(try !#require(IngestConfiguration.RawPort("live/news=127.0.0.1:1")).isGroup)
        for bad in [
            "live/news=239.1.1.1:5000,interface=", "live/news=239.1.1.1:5000,source=::1",
            "live/news=239.1.1.1:5000,ttl=3", "live/news=239.1.1.1", "live/News=239.1.1.1:5000",
            "live/news=239.1.1.1:5000,interface=a,interface=b", "live/news=239.1.1.1:5000,",
        ] {
            #expect(IngestConfiguration.RawPort(bad) == nil, "\(bad)")
        }
    }

    @Test("An interface that does not exist is reported by name")
    func noInterface() async throws {
        var configuration = try configuration()
        configuration.rawUDP = [
            try #require(IngestConfiguration.RawPort("live/news=239.1.1.1:47003,interface=nosuch0"))
        ]
        let failure = await #expect(throws: DatagramPortOptions.Problem.self) {
            _ = try await IngestServer.start(
                configuration: configuration, keys: StreamKeys(), sink: MemorySink(), logger: Logger(label: "test"))
        }
        #expect(failure?.description.contains("no interface 'nosuch0' for the encoder of live/news") == true)
    }

    @Test("Drops are logged once in ten seconds for each cause and stream, and their table is bounded")
    func reports() async throws {
        let log = LogCollector()
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let counters = IngestCounters()
        let entries = try await loop.submit {
            let reports = IngestReports(loop: loop, counters: counters, logger: log.logger)
            for number in 0..<5_000 {
                reports.note(.datagramOverRate, stream: StreamName("live/s\(number)"))
                reports.note(.refusedWrongKey)
            }
            return reports.entryCount
        }.get()
        #expect(entries <= IngestReports.entriesMax + 1)
        #expect(log.lines.count <= IngestReports.entriesMax + 2)
        #expect(log.lines.count { $0.contains("wrong key") } == 1)
        #expect(counters.value(.datagramOverRate) == 5_000 && counters.value(.refusedWrongKey) == 5_000)
    }
}
