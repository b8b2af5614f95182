import AsyncHTTPClient
import Foundation
import Glibc
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

    @Test("A server that shuts down does not wait for a viewer that does not read")
    func shutDownWithStuckViewer() async throws {
        let hub = hub()
        let name = name
        let start = Mutex(ContinuousClock.now)
        try await serve(hub) { endpoint in
            let viewer = try StuckClient(endpoint, path: "/live/news.ts")
            while hub.viewers(of: name) < 1 { try await Task.sleep(for: .milliseconds(2)) }
            let payload = [UInt8](repeating: 0xaa, count: 1316)
            // More than the sockets hold and less than the hub: it is stuck in a write, and not evicted.
            for index in 0..<10_000 { deliver(payload[...], to: hub, name, at: index) }
            try await Task.sleep(for: .milliseconds(200))
            #expect(hub.viewers(of: name) == 1)
            start.withLock { $0 = .now }
            withExtendedLifetime(viewer) {}
        }
        #expect(start.withLock { ContinuousClock.now - $0 } < .seconds(4))
    }
}

/// Asks for something and does not read it; its socket holds little.
private final class StuckClient {
    private let descriptor: Int32

    init(_ endpoint: Endpoint, path: String) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var size: Int32 = 65_536
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = endpoint.port.bigEndian
        address.sin_addr.s_addr = endpoint.address.v4.bigEndian
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        let request = Array("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
        guard code == 0, write(descriptor, request, request.count) == request.count else {
            throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
        }
    }

    deinit { close(descriptor) }
}
