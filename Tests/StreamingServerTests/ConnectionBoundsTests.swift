import Foundation
import Logging
import NIOCore
import ReflectorModel
import Testing

@testable import HTTPServing
@testable import OpsEndpoint
@testable import StreamingServer

@Suite("HTTP of old, odd and hostile clients", .serialized)
struct ConnectionBoundsTests {
    private struct Nothing: Codable {}

    /// Runs `body` while an ops port with these bounds runs.
    private func ops(
        _ address: String, _ bounds: ConnectionBounds, _ body: @escaping @Sendable (Endpoint) async throws -> Void
    ) async throws {
        try await serving(address) { endpoint, ready in
            var configuration = OpsEndpoint<Nothing>.Configuration(endpoint: endpoint)
            configuration.bounds = bounds
            try await OpsEndpoint(
                configuration: configuration, logger: silent, status: { _ in Nothing() }, metrics: { [] },
                ready: { nil }, onReady: ready
            ).run()
        } _: {
            try await body($0)
        }
    }

    private func viewers(
        _ address: String, configure: @escaping @Sendable (inout StreamingServer.Configuration) -> Void = { _ in },
        _ body: @escaping @Sendable (Endpoint, LiveStreamHub) async throws -> Void
    ) async throws {
        let hub = LiveStreamHub(configuration: LiveStreamConfiguration(), logger: silent)
        try await serving(address) { endpoint, ready in
            var configuration = StreamingServer.Configuration(endpoint: endpoint)
            configure(&configuration)
            try await StreamingServer(configuration: configuration, hub: hub, onReady: ready).run()
        } _: {
            try await body($0, hub)
        }
    }

    private static let usual = ConnectionBounds(connectionsMax: 64, connectionsPerAddressMax: 64)

    private func answer(_ endpoint: Endpoint, _ request: String) throws -> (text: String, isClosed: Bool) {
        let connection = try RawConnection(endpoint)
        connection.send(request)
        return connection.read(quiet: 500)
    }

    @Test("HTTP/1.1 without Host, with two, or with an invalid one gets 400 and the connection ends")
    func host() async throws {
        let check: @Sendable (Endpoint, String) throws -> Void = { endpoint, path in
            for head in ["", "Host: a\r\nHost: b\r\n", "Host: a b\r\n", "Host: user@a\r\n"] {
                let (text, isClosed) = try self.answer(endpoint, "GET \(path) HTTP/1.1\r\n\(head)\r\n")
                #expect(text.hasPrefix("HTTP/1.1 400 ") && isClosed, "\(head): \(text)")
            }
            #expect(try self.answer(endpoint, "GET \(path) HTTP/1.1\r\nHost:\r\n\r\n").text.hasPrefix("HTTP/1.1 200 "))
            #expect(try self.answer(endpoint, "GET \(path) HTTP/1.0\r\n\r\n").text.hasPrefix("HTTP/1.0 200 "))
            // A client cannot cause a 400 by sending our internal mark.
            let marked = "GET \(path) HTTP/1.1\r\nHost: a\r\n\(RequestRules.mark): x\r\n\r\n"
            #expect(try self.answer(endpoint, marked).text.hasPrefix("HTTP/1.1 200 "))
            let absolute = "GET http://a.example\(path) HTTP/1.1\r\nHost: a.example\r\n\r\n"
            #expect(try self.answer(endpoint, absolute).text.hasPrefix("HTTP/1.1 200 "))
        }
        try await ops("127.46.40.1", Self.usual) { try check($0, "/healthz") }
        try await viewers("127.46.40.2") { endpoint, _ in try check(endpoint, "/") }
    }

    @Test("An HTTP/1.0 client gets no chunks, and the end of the connection ends the body")
    func oldClients() async throws {
        try await viewers("127.46.40.3") { endpoint, hub in
            let name = try #require(StreamName("live/news"))
            let connection = try RawConnection(endpoint)
            connection.send("GET /live/news.ts HTTP/1.0\r\n\r\n")
            let packet = [0x47] + [UInt8](repeating: 0xff, count: 187)
            let delivering = Task {
                for index in 0..<200 {
                    deliver(packet[...], to: hub, name, at: index)
                    try await Task.sleep(for: .milliseconds(5))
                }
                hub.ended(stream: name, reason: "over")
            }
            let (text, isClosed) = await Task.detached { connection.read(quiet: 3_000) }.value
            try await delivering.value
            let head = text.prefix { $0 != "\u{47}" || !text.contains("\r\n\r\n") }
            #expect(text.hasPrefix("HTTP/1.0 200 "), "\(text.prefix(300))")
            #expect(!text.lowercased().contains("transfer-encoding") && isClosed, "\(head.prefix(300))")
        }
    }

    @Test("A HEAD request gets the length of the GET body, no length for an endless stream, and no body")
    func head() async throws {
        try await viewers("127.46.40.4") { endpoint, hub in
            func length(_ text: String) -> String? {
                text.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }.map(String.init)
            }
            let get = try self.answer(endpoint, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            let head = try self.answer(endpoint, "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(length(get.text) != nil && length(get.text) == length(head.text))
            #expect(head.text.hasSuffix("\r\n\r\n") && head.isClosed)

            let name = try #require(StreamName("live/news"))
            let connection = try RawConnection(endpoint)
            connection.send("HEAD /live/news.ts HTTP/1.1\r\nHost: a\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n\r\n")
            let delivering = Task {
                for index in 0..<100 {
                    deliver(([0x47] + [UInt8](repeating: 0xff, count: 187))[...], to: hub, name, at: index)
                    try await Task.sleep(for: .milliseconds(5))
                }
            }
            let both = await Task.detached { connection.read(quiet: 500) }.value.text
            try await delivering.value
            let answers = both.components(separatedBy: "HTTP/1.1 ").dropFirst()
            #expect(answers.count == 2, "\(both)")
            #expect(answers.first.map { $0.hasPrefix("200 ") && length($0) == nil } == true, "\(both)")
            #expect(answers.last?.hasPrefix("404 ") == true)
            #expect(hub.viewers(of: name) == 0)
        }
    }

    @Test("A page of another origin may send a preflight request and its own headers, and read errors")
    func crossOrigin() async throws {
        try await viewers("127.46.40.5") { endpoint, _ in
            let asked = try self.answer(
                endpoint,
                "OPTIONS /live/c/index.m3u8 HTTP/1.1\r\nHost: a\r\nOrigin: http://page.example\r\n"
                    + "Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: authorization, x-trace\r\n\r\n"
            ).text.lowercased()
            #expect(asked.hasPrefix("http/1.1 204 "), "\(asked)")
            #expect(asked.contains("access-control-allow-headers: authorization, x-trace\r\n"))
            #expect(asked.contains("access-control-allow-origin: *\r\n"))
            #expect(!asked.contains("transfer-encoding") && !asked.contains("content-length"))
            for request in ["GET /nothing", "PUT /live/a.ts", "GET /live/c/seg1-00000000.ts"] {
                let text = try self.answer(endpoint, "\(request) HTTP/1.1\r\nHost: a\r\n\r\n").text.lowercased()
                #expect(text.contains("access-control-allow-origin: *\r\n"), "\(request): \(text)")
            }
        }
    }

    @Test("One address can't keep others out, and a full port answers a health check at once")
    func floods() async throws {
        let bounds = ConnectionBounds(connectionsMax: 12, connectionsPerAddressMax: 4, closesBusy: true)
        try await ops("127.46.40.6", bounds) { endpoint in
            let hoard = try (0..<40).map { try RawConnection(endpoint, from: "127.46.41.\($0 % 5 + 1)") }
            for connection in hoard { connection.send("GET /hea") }
            let check = try RawConnection(endpoint, from: "127.46.42.1")
            check.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(check.read(quiet: 500).text.hasPrefix("HTTP/1.1 200 "))
            #expect(hoard.count { $0.read(quiet: 1).isClosed } >= 40 - 12)
        }
    }

    @Test("A head sent byte by byte, a body that never ends, and idleness end the connection in time")
    func slow() async throws {
        let bounds = ConnectionBounds(
            connectionsMax: 64, connectionsPerAddressMax: 64, headTimeout: .milliseconds(300),
            idleTimeout: .milliseconds(300))
        try await ops("127.46.40.7", bounds) { endpoint in
            let silent = try RawConnection(endpoint)
            let dribble = try RawConnection(endpoint)
            let body = try RawConnection(endpoint)
            body.send("GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx")
            let idle = try RawConnection(endpoint)
            idle.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            for letter in "GET /" {
                dribble.send("\(letter)")
                try await Task.sleep(for: .milliseconds(50))
            }
            for connection in [silent, dribble, body, idle] { #expect(connection.read(quiet: 3_000).isClosed) }
        }
    }

    @Test("A head that is too long gets 400, and the number of requests per connection is limited")
    func large() async throws {
        var bounds = Self.usual
        bounds.requestsMax = 3
        try await ops("127.46.40.8", bounds) { endpoint in
            let long = String(repeating: "a", count: 10_000)
            #expect(
                try self.answer(endpoint, "GET /\(long) HTTP/1.1\r\nHost: a\r\n\r\n").text.hasPrefix("HTTP/1.1 400 "))
            #expect(
                try self.answer(endpoint, "GET / HTTP/1.1\r\nHost: a\r\nX: \(long)\r\n\r\n").text
                    .hasPrefix("HTTP/1.1 400 "))
            let one = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
            let (text, isClosed) = try self.answer(endpoint, String(repeating: one, count: 5))
            #expect(text.components(separatedBy: "HTTP/1.1 200 ").count - 1 == 3 && isClosed, "\(text)")
        }
    }
}
