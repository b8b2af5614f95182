import Foundation
import ReflectorModel
import Testing

@testable import OpsEndpoint

@Suite("Status in pages")
struct StatusPageTests {
    /// A page of the status of a node with `count` streams, numbered from 0.
    private func status(_ page: StreamPage, of count: Int) -> NodeStatus {
        let told = (page.from < count ? page.from..<min(count, page.from + page.count) : 0..<0).map { number in
            var residence = DelayBuckets()
            residence.note(.milliseconds(Int64(number)))
            return StreamStatus(
                name: "live/n\(number)", portset: "s1", source: nil, incarnation: nil, highestSequence: 0, packetsIn: 0,
                bytesIn: 0, packetsOut: 0, children: 0, viewers: 0, paths: [], delivered: 0, lost: 0, repaired: 0,
                duplicates: 0, gapMillisecondsMax: 0, residence: residence)
        }
        let end = page.from + told.count
        return NodeStatus(
            name: "edge-bos", role: "edge", region: "r1283", zone: "reflector.net", endpoint: "127.46.0.1:4900",
            uptimeSeconds: 1.5, serial: 7, links: [], streams: told, counters: [:], streamsTotal: count,
            nextStreams: end < count ? end : nil)
    }

    private func serving(_ count: Int, _ body: @escaping @Sendable (Endpoint) async throws -> Void) async throws {
        try await StreamingServerTests.serving("127.46.0.3") { endpoint, ready in
            try await OpsEndpoint(
                configuration: .init(endpoint: endpoint), logger: silent, status: { self.status($0, of: count) },
                metrics: { [] }, ready: { nil }, onReady: ready
            ).run()
        } _: { endpoint in
            try await body(endpoint)
        }
    }

    @Test("The client gets every stream, for any number of pages", arguments: [0, 1, 256, 257, 1_000])
    func all(count: Int) async throws {
        try await serving(count) { endpoint in
            let whole = try await OpsClient(timeout: .seconds(10)).nodeStatus(of: endpoint)
            #expect(whole.streams.map(\.name) == (0..<count).map { "live/n\($0)" })
            #expect(whole.nextStreams == nil && whole.streamsTotal == count)
            #expect(whole.streams.allSatisfy { $0.residence?.total == 1 })
        }
    }

    @Test("A page has the requested streams, 256 by default; nonsense is refused")
    func pages() async throws {
        try await serving(2_000) { endpoint in
            func page(_ query: String) async throws -> (status: UInt, page: NodeStatus?) {
                let answer = try await get("http://\(endpoint)/status\(query)")
                return (answer.status, try? JSONDecoder().decode(NodeStatus.self, from: Data(answer.body)))
            }
            #expect(try await page("").page?.streams.count == 256)
            let asked = try await page("?from=1990&count=8").page
            #expect(asked?.streams.first?.name == "live/n1990")
            #expect(asked?.streams.count == 8 && asked?.nextStreams == 1_998)
            #expect(try await page("?from=1998").page?.nextStreams == nil)
            #expect(try await page("?count=1024").page?.streams.count == 1_024)
            for query in [
                "?count=1025", "?count=-1", "?from=-1", "?from=x", "?from=", "?count=99999999999999999999", "?from=%00",
            ] {
                #expect(try await page(query).status == 400, "\(query)")
            }
        }
    }

    @Test("A node with endless pages does not block the client")
    func circle() async throws {
        try await StreamingServerTests.serving("127.46.0.3") { endpoint, ready in
            try await OpsEndpoint(
                configuration: .init(endpoint: endpoint), logger: silent,
                status: { _ in
                    var status = self.status(.first, of: 300)
                    status.nextStreams = 256
                    return status
                }, metrics: { [] }, ready: { nil }, onReady: ready
            ).run()
        } _: { endpoint in
            let whole = try await OpsClient(timeout: .seconds(10)).nodeStatus(of: endpoint)
            #expect(whole.streams.count == 512)
        }
    }
}
