import AsyncHTTPClient
import Foundation
import ReflectorModel
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
}
