import Foundation
import IdentityKeys
import NodeIdentity
import ReflectorModel
import RelayService
import TestSupport
import Testing

@testable import reflector

@Suite("Wrong keys, replays and forgeries", .serialized)
struct SecurityTests {
    @Test("a wrong stream key and a node of another network's operator are refused and counted by reason")
    func wrongKeys() async throws {
        try await TestNetwork.with(net: 78) { network in
            try await network.startAll()
            let ingest = try network.node("ep-bos").ingest
            for (key, counter) in [("?key=nonsense", "ingest_refused_wrong_key"), ("", "ingest_refused_missing_key")] {
                let put = try Program.run(
                    "curl",
                    ["-s", "-o", "/dev/null", "-w", "%{http_code}", "-T", TestPictureFile.path]
                        + ["http://\(ingest)/live/news\(key)"])
                #expect(put.output == "401")
                #expect(try await network.status(of: "ep-bos").counters[counter] == 1)
            }
            #expect(try await network.status(of: "ep-bos").streams.isEmpty)

            try await network.startEncoder(
                try #require(StreamName("live/news")), file: TestPictureFile.path, at: "ep-bos")
            try await eventually("packets at the entrypoint") {
                (try await network.stream("live/news", at: "ep-bos")?.packetsIn ?? 0) > 50
            }
            // The same edge restarts with a certificate of another network's operator.
            let own = try IdentityFolder(loading: network.identities.folder(of: "edge-nen")).content
            let other = try network.makeIdentity(
                .init(name: own.name, role: own.role, region: own.region), zone: own.zone, folder: "other")
            try await network.kill("edge-nen")
            let before = try await handshakesRefused(network)
            try await network.start("edge-nen", options: ["--identity", other])
            try await network.waitUntilReady("edge-nen")
            let view = try Program.run(
                "curl",
                ["-s", "-o", "/dev/null", "-w", "%{http_code} %{size_download}", "--max-time", "20"]
                    + ["http://\(try network.node("edge-nen").http)/live/news.ts"], seconds: 30)
            let refused = try await handshakesRefused(network) - before
            let edge = try await network.status(of: "edge-nen")
            #expect(view.output.hasPrefix("50"), "\(view.output)")
            #expect(refused > 0)
            #expect(edge.counters["data_received"] == 0)
            #expect(edge.links.allSatisfy { $0.state != "alive" })
            for node in ["nyc-1", "nyc-2", "lon-1", "lon-2", "sjc-1"] {
                #expect(try await network.status(of: node).counters["data_sent"] == 0)
            }
            print("another operator: \(refused) handshakes refused, viewer got \(view.output)")
        }
    }

    /// Whether the bytes are those of the input without a gap. The viewer may have joined after the first ones, and the
    /// edge holds back an incomplete picture at the end.
    private static func isPart(_ delivered: Data, of input: Data) -> Bool {
        guard let start = input.range(of: delivered.prefix(8 * 188))?.lowerBound else { return false }
        return input[start...].starts(with: delivered)
    }

    private func handshakesRefused(_ network: TestNetwork) async throws -> UInt64 {
        var sum: UInt64 = 0
        for node in ["nyc-1", "nyc-2", "lon-1", "lon-2", "sjc-1"] {
            sum += try await network.status(of: node).counters["certificates_untrusted"] ?? 0
        }
        return sum
    }

    @Test("replayed messages, a subscription from another address and forged data change nothing and are counted")
    func forgeries() async throws {
        let net: UInt8 = 79
        try await TestNetwork.with(net: net) { network in
            // An attacker between sjc-1 and all its peers sees every datagram and forges some.
            let relay = try network.node("sjc-1")
            let edge = Endpoint(address: try network.node("edge-bos").address, port: 4_900)
            let real = try #require(Endpoint("127.\(net).12.1:4900"))
            let wiretap = try Wiretap(
                listen: Endpoint(address: relay.address, port: 4_900), target: real,
                outside: try #require(IPAddress("127.\(net).13.1")), victim: edge)
            defer { wiretap.end() }
            let entrypoint = try network.node("ep-bos").address
            try await network.startAll(options: [
                "sjc-1": ["--listen", "\(real)", "--ops", "\(relay.ops)"],
                "ep-bos": ["--tcp", "live/news=\(entrypoint):9000", "--ingest-rate-max", "3000000"],
            ])

            let input = try Data(contentsOf: URL(fileURLWithPath: TestPictureFile.path)).prefix(15_957 * 188)
            let file = network.folder + "/input.ts"
            try input.write(to: URL(fileURLWithPath: file))
            let feed = """
                exec 3>/dev/tcp/\(entrypoint)/9000; head -c 131600 '\(file)' >&3; sleep 3
                tail -c +131601 '\(file)' >&3; sleep 5
                """
            try await network.startProgram("bash", ["-c", feed], name: "encoder")
            try await eventually("the stream at the entrypoint") {
                (try await network.stream("live/news", at: "ep-bos")?.packetsIn ?? 0) > 50
            }
            let output = network.folder + "/edge-bos.out"
            try await network.startViewer(of: "edge-bos", name: "viewer", output: output)
            try await eventually("delivery") {
                (try await network.stream("live/news", at: "edge-bos")?.delivered ?? 0) > 200
            }

            let before = try await network.status(of: "sjc-1").counters
            let stranger = try UDPSocket(try #require(Endpoint("127.\(net).14.1:0")))
            defer { stranger.close() }
            let subscribe = try #require(wiretap.heard(from: edge) { $0.first == 0x20 && $0.count > 18 && $0[18] == 1 })
            let open = try #require(wiretap.heard(from: edge) { $0.first == 0x12 })
            for _ in 0..<10 { wiretap.send(subscribe, as: edge) }
            for _ in 0..<10 { stranger.send(subscribe, to: real) }
            for _ in 0..<10 { stranger.send(open, to: real) }
            try await eventually("their counts at the relay") {
                let now = try await network.status(of: "sjc-1").counters
                func grew(_ name: String) -> UInt64 { (now[name] ?? 0) - (before[name] ?? 0) }
                return grew("rejected_replayed") >= 10 && grew("rejected_wrong_address") >= 10
                    && grew("rejected_bad_cookie") >= 10
            }

            let expected = UInt64((input.count + 1_315) / 1_316)
            try await eventually("the whole file at the edge", within: .seconds(30), every: .milliseconds(250)) {
                (try await network.stream("live/news", at: "edge-bos")?.highestSequence ?? 0) >= expected
            }
            // The last repaired packets arrive late, and the viewer still has to write them; every forged packet is
            // counted as an unknown token or as a bad seal.
            _ = try? await eventually("the last bytes at the viewer", every: .milliseconds(250)) {
                let delivered = try Data(contentsOf: URL(fileURLWithPath: output))
                return delivered.count > input.count * 9 / 10 && Self.isPart(delivered, of: input)
            }
            let forged = wiretap.forged
            _ = try? await eventually("the counts of the forged packets at the edge") {
                let counters = try await network.status(of: "edge-bos").counters
                return (counters["rejected_unknown_token"] ?? 0) + (counters["rejected_bad_seal"] ?? 0)
                    >= UInt64(forged)
            }
            // No data may follow, and none may go to the stranger.
            try await Task.sleep(for: .seconds(1))
            var received = 0
            while let (bytes, _) = stranger.receive() {
                received += 1
                #expect(bytes.first != 0x30 && bytes.first != 0x31, "data for an address that has not subscribed")
            }
            let counters = try await network.status(of: "edge-bos").counters
            let status = try #require(try await network.stream("live/news", at: "edge-bos"))
            #expect((counters["rejected_unknown_token"] ?? 0) > 5)
            #expect((counters["rejected_bad_seal"] ?? 0) > 10)
            #expect(
                (counters["rejected_unknown_token"] ?? 0) + (counters["rejected_bad_seal"] ?? 0) >= UInt64(forged))
            #expect(status.lost == 0)
            let delivered = try Data(contentsOf: URL(fileURLWithPath: output))
            #expect(delivered.count > input.count * 8 / 10)
            #expect(Self.isPart(delivered, of: input), "not the bytes of the input")
            print(
                """
                forged data: \(forged) sent, \(counters["rejected_bad_seal"] ?? 0) bad seals, \
                \(counters["rejected_unknown_token"] ?? 0) unknown tokens; \(delivered.count) bytes exact, \
                \(status.lost) lost; the stranger got \(received) datagrams, none of them data
                """)
        }
    }
}
