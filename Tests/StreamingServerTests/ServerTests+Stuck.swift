import AsyncHTTPClient
import Foundation
import NIOCore
import ReflectorModel
import Synchronization
import Testing

@testable import StreamingServer

/// Viewers that do not read what they asked for.
extension ServerTests {
    @Test("A viewer that does not read is evicted, counted, and holds nothing up")
    func slowViewer() async throws {
        let hub = hub { $0.bufferBytesMax = 1 << 20 }
        let name = name
        try await serve(hub) { endpoint in
            // Its body is never read: the client stops reading the socket.
            async let slow = HTTPClient.shared.execute(
                HTTPClientRequest(url: "http://\(endpoint)/live/news.ts"), timeout: .seconds(30))
            while hub.viewers(of: name) < 1 { try await Task.sleep(for: .milliseconds(2)) }
            let payload = [UInt8](repeating: 0xaa, count: 1316)
            deliver(payload[...], to: hub, name, at: 0)
            let response = try await slow
            let deadline = ContinuousClock.now + .seconds(20)
            var index = 0
            while hub.viewers(of: name) > 0, ContinuousClock.now < deadline {
                // In steps that a reading viewer keeps up with: this one gets stuck in a write.
                for _ in 0..<200 {
                    index += 1
                    deliver(payload[...], to: hub, name, at: index)
                }
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(hub.viewers(of: name) == 0)
            #expect(hub.statistics().counters["viewers_overrun"] == 1)
            withExtendedLifetime(response) {}
        }
    }

    @Test("A viewer that asks for a segment and does not read it is cut off")
    func stuckSegmentViewer() async throws {
        let hub = hub {
            $0.bufferBytesMax = 64 << 20
            $0.segmentTransferMax = .milliseconds(300)
        }
        let name = name
        try await serve(hub) { endpoint in
            // Null packets (ISO/IEC 13818-1 §2.4.3.3) make segments larger than what sockets hold.
            let null = [0x47, 0x1f, 0xff, 0x10] + [UInt8](repeating: 0xff, count: TransportPacket.length - 4)
            let filling = Array(repeatElement(null, count: 300).joined())
            for (index, payload) in TransportStreamFile.payloads().enumerated() {
                deliver(payload, to: hub, name, at: index)
                for _ in 0..<3 { deliver(filling[...], to: hub, name, at: index) }
            }
            let playlist = try await get("http://\(endpoint)/live/news/index.m3u8")
            let file = try #require(
                String(decoding: playlist.body, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("seg") })
            let response = try await HTTPClient.shared.execute(
                HTTPClientRequest(url: "http://\(endpoint)/live/news/\(file)"), timeout: .seconds(30))
            #expect(response.headers.first(name: "content-length").flatMap { Int($0) } ?? 0 > 12 << 20)
            let deadline = ContinuousClock.now + .seconds(10)
            while hub.statistics().counters["segments_too_slow"] == nil, ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(hub.statistics().counters["segments_too_slow"] == 1)
            await #expect(throws: (any Error).self) { _ = try await response.body.collect(upTo: 64 << 20) }
        }
    }

    @Test("A server that shuts down does not wait for a viewer that does not read")
    func shutDownWithStuckViewer() async throws {
        let hub = hub()
        let name = name
        let start = Mutex(ContinuousClock.now)
        try await serve(hub) { endpoint in
            async let slow = HTTPClient.shared.execute(
                HTTPClientRequest(url: "http://\(endpoint)/live/news.ts"), timeout: .seconds(30))
            while hub.viewers(of: name) < 1 { try await Task.sleep(for: .milliseconds(2)) }
            let payload = [UInt8](repeating: 0xaa, count: 1316)
            deliver(payload[...], to: hub, name, at: 0)
            let response = try await slow
            for index in 1..<8_000 { deliver(payload[...], to: hub, name, at: index) }
            try await Task.sleep(for: .milliseconds(200))
            start.withLock { $0 = .now }
            withExtendedLifetime(response) {}
        }
        #expect(start.withLock { ContinuousClock.now - $0 } < .seconds(4))
    }
}
