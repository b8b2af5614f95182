import Foundation
import Glibc
import HTTPFetching
import ReflectorModel
import Synchronization
import TestSupport
import Testing

@testable import StreamingServer

/// Viewers that do not read their answers.
extension ServerTests {
    @Test("A viewer that does not read is evicted and counted, and blocks nothing")
    func slowViewer() async throws {
        let hub = hub { $0.bufferBytesMax = 1 << 20 }
        let name = name
        try await serve(hub) { endpoint in
            // Its body is never read: the client stops reading the socket.
            async let slow = HTTPFetch("http://\(endpoint)/live/news.ts").answer()
            try await eventually("1 viewer", every: .milliseconds(2)) { hub.viewers(of: name) >= 1 }
            let payload = [UInt8](repeating: 0xaa, count: 1316)
            deliver(payload[...], to: hub, name, at: 0)
            let response = try await slow
            let deadline = ContinuousClock.now + .seconds(20)
            var index = 0
            while hub.viewers(of: name) > 0, ContinuousClock.now < deadline {
                // Send at a rate that a reading viewer can follow; this viewer gets stuck in a write.
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

    @Test("A viewer that requests a segment and does not read it is disconnected")
    func stuckSegmentViewer() async throws {
        let hub = hub {
            $0.bufferBytesMax = 64 << 20
            $0.segmentTransferMax = .milliseconds(300)
        }
        let name = name
        try await serve(hub) { endpoint in
            // Null packets (ISO/IEC 13818-1 §2.4.3.3) make segments larger than socket buffers.
            let null = [0x47, 0x1f, 0xff, 0x10] + [UInt8](repeating: 0xff, count: TransportPacket.length - 4)
            let filling = Array(repeatElement(null, count: 300).joined())
            for (index, payload) in TransportStreamFile.payloads().enumerated() {
                deliver(payload, to: hub, name, at: index)
                for _ in 0..<3 { deliver(filling[...], to: hub, name, at: index) }
            }
            let playlist = try await get("http://\(endpoint)/live/news/index.m3u8")
            let file = try #require(
                String(decoding: playlist.body, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("seg") })
            let viewer = try StuckClient(endpoint, path: "/live/news/\(file)")
            try await eventually("the end of the transfer") { hub.statistics().counters["segments_too_slow"] != nil }
            #expect(hub.statistics().counters["segments_too_slow"] == 1)
            #expect(viewer.isCutOff)
        }
    }

    @Test("A server that shuts down does not wait for a viewer that does not read")
    func shutDownWithStuckViewer() async throws {
        let hub = hub()
        let name = name
        let start = Mutex(ContinuousClock.now)
        try await serve(hub) { endpoint in
            let viewer = try StuckClient(endpoint, path: "/live/news.ts")
            try await eventually("1 viewer", every: .milliseconds(2)) { hub.viewers(of: name) >= 1 }
            let payload = [UInt8](repeating: 0xaa, count: 1316)
            // More than the sockets hold and less than the hub holds: the viewer is stuck in a write, but not evicted.
            for index in 0..<10_000 { deliver(payload[...], to: hub, name, at: index) }
            try await Task.sleep(for: .milliseconds(200))
            #expect(hub.viewers(of: name) == 1)
            start.withLock { $0 = .now }
            withExtendedLifetime(viewer) {}
        }
        #expect(start.withLock { ContinuousClock.now - $0 } < .seconds(4))
    }
}

/// Sends a request and does not read the answer; its socket buffer is small.
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

    /// Continues reading; true if the connection ends before the promised length.
    var isCutOff: Bool {
        var head = ""
        var count = 0
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            let got = read(descriptor, &buffer, buffer.count)
            guard got > 0 else { break }
            if head.isEmpty { head = String(decoding: buffer[..<min(got, 1_024)], as: UTF8.self) }
            count += got
        }
        let promised = head.lowercased().split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
        return count < promised.flatMap { Int($0.split(separator: " ").last ?? "") } ?? 0
    }
}
