import Foundation
import NIOCore
import NIOHTTP1
import Synchronization
import TestSupport
import Testing

@testable import HTTPFetching

@Suite("Fetches over HTTP", .serialized)
struct HTTPFetchTests {
    private func fetch(_ url: String, _ configure: (inout HTTPFetch) -> Void = { _ in }) -> HTTPFetch {
        var fetch = HTTPFetch(url)
        fetch.timeout = .seconds(20)
        configure(&fetch)
        return fetch
    }

    private func failure(_ fetch: HTTPFetch, bodyBytesMax: Int = 1 << 20) async -> HTTPFetchFailure? {
        do {
            _ = try await fetch.wholeAnswer(bodyBytesMax: bodyBytesMax)
            return nil
        } catch {
            return error
        }
    }

    @Test("A request contains the given fields and no more; redirects and compressed bodies are returned unchanged")
    func get() async throws {
        try await withServer { connection in
            connection.send(
                "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc")
        } _: { server in
            let answer = try await fetch(server.url("/a/../b?c=d%20e")) {
                $0.headers.add(name: "X-Key", value: "v")
            }.wholeAnswer(bodyBytesMax: 3)
            #expect(answer.status == 302)
            #expect(answer.headers.first(name: "location") == "/b")
            #expect(answer.body == ByteBuffer(string: "abc"))
            let lines = server.requests.first?.split(separator: "\r\n").map(String.init)
            #expect(
                lines == [
                    "GET /a/../b?c=d%20e HTTP/1.1", "Host: 127.49.0.1:\(server.port)", "Accept: */*", "X-Key: v",
                ])
        }
    }

    @Test("A body is posted unchanged, without an Expect before it", arguments: [0, 1, 2_000_000])
    func post(count: Int) async throws {
        try await withServer { connection in
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nT: u\r\n\r\n")
            _ = connection.waitForClose()
        } _: { server in
            let answer = try await fetch(server.url()) {
                $0.body = [UInt8](repeating: 0x61, count: count)
            }.wholeAnswer(bodyBytesMax: 2)
            #expect(answer.body == ByteBuffer(string: "ok"))
            let head = try #require(server.requests.first)
            #expect(head.hasPrefix("POST / HTTP/1.1\r\n") && head.contains("Content-Length: \(count)\r\n"))
            #expect(!head.contains("Expect") && !head.contains("Content-Type"))
        }
    }

    @Test("Endless heads, unrequested codings, answers that are not HTTP, and long or truncated bodies are failures")
    func hostile() async throws {
        let ok = "HTTP/1.1 200 OK\r\n"
        let scripts: [(expected: HTTPFetchFailure, script: @Sendable (Connection) -> Void)] = [
            (.headTooLong, { if $0.send(ok) { while $0.send("a: \(String(repeating: "b", count: 500))\r\n") {} } }),
            (.headTooLong, { while $0.send("HTTP/1.1 103 Early Hints\r\na: b\r\n\r\n") {} }),
            (.headTooLong, { if $0.send(ok + "a: ") { while $0.send(String(repeating: "b", count: 500)) {} } }),
            (.transferCoding, { $0.send(ok + "Transfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n") }),
            (
                .bodyTooLong(1 << 20),
                { if $0.send(ok + "\r\n") { while $0.send([UInt8](repeating: 0, count: 9_999)) {} } }
            ),
            (.libcurl(18), { $0.send(ok + "Content-Length: 10\r\n\r\nabc") }),
            (.libcurl(1), { $0.send("\u{0}\u{1}nonsense\r\n\r\n") }),
            (.libcurl(52), { _ in }),
        ]
        for (number, script) in scripts.enumerated() {
            try await withServer(script.script) { server in
                let failure = await failure(fetch(server.url()))
                #expect(failure == script.expected, "\(number)")
            }
        }
    }

    @Test("A fetch times out if the server is silent, sends too slowly or stops in the middle of the body")
    func times() async throws {
        try await withServer {
            _ = $0.waitForClose()
        } _: { server in
            #expect(await failure(fetch(server.url()) { $0.timeout = .milliseconds(200) }) == .timedOut)
            #expect(await failure(fetch(server.url()) { $0.idleTimeout = .milliseconds(200) }) == .timedOut)
        }
        try await withServer { connection in
            connection.send("HTTP/1.1 200 OK\r\n\r\n")
            while connection.send("x") { Thread.sleep(forTimeInterval: 0.02) }
        } _: { server in
            let start = ContinuousClock.now
            #expect(
                await failure(
                    fetch(server.url()) {
                        $0.timeout = .milliseconds(500)
                        $0.idleTimeout = .milliseconds(300)
                    }) == .timedOut)
            // Bytes kept arriving, so the idle time-out did not end the fetch.
            #expect(ContinuousClock.now - start >= .milliseconds(450))
        }
        try await withServer { connection in
            connection.send("HTTP/1.1 200 OK\r\n\r\nabc")
            _ = connection.waitForClose()
        } _: { server in
            let answer = try await fetch(server.url()) { $0.idleTimeout = .milliseconds(300) }.answer()
            var bytes = answer.body.makeAsyncIterator()
            #expect(try await bytes.next() == ByteBuffer(string: "abc"))
            await #expect(throws: HTTPFetchFailure.timedOut) { try await bytes.next() }
        }
    }

    @Test("A reader that pauses for longer than the idle time-out makes the server wait, and then gets every byte")
    func backPressure() async throws {
        // The pattern repeats every 250 bytes, so a piece that starts anywhere can be compared with it.
        let pattern = [UInt8]((0..<200_000).map { UInt8($0 % 250) })
        let sent = Mutex(0)
        let total = 400 * pattern.count
        try await withServer { connection in
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(total)\r\n\r\n")
            for _ in 0..<400 {
                guard connection.send(pattern) else { return }
                sent.withLock { $0 += pattern.count }
            }
        } _: { server in
            let answer = try await fetch(server.url()) {
                $0.idleTimeout = .milliseconds(300)
                $0.timeout = .seconds(60)
            }.answer()
            // Wait until the server no longer sends.
            var before = -1
            while before != sent.withLock({ $0 }) {
                before = sent.withLock { $0 }
                try await Task.sleep(for: .milliseconds(500))
            }
            // The server has sent no more than the socket buffers hold.
            #expect(before > 0 && before < 16 << 20)
            var (count, isInOrder) = (0, true)
            for try await bytes in answer.body {
                #expect(bytes.readableBytes <= Exchange.heldBytesMax + 1 << 14)
                let start = count % 250
                isInOrder =
                    isInOrder
                    && bytes.withUnsafeReadableBytes { bytes in
                        pattern.withUnsafeBytes {
                            memcmp(bytes.baseAddress!, $0.baseAddress! + start, bytes.count) == 0
                        }
                    }
                count += bytes.readableBytes
            }
            #expect(count == total && isInOrder)
        }
    }

    @Test("A cancelled task ends at once and closes the connection; releasing the answer closes it too")
    func cancellation() async throws {
        let closed = Mutex(0)
        try await withServer { connection in
            if closed.withLock({ $0 }) > 0 { connection.send("HTTP/1.1 200 OK\r\n\r\nabc") }
            if connection.waitForClose() { closed.withLock { $0 += 1 } }
        } _: { server in
            let task = Task { await failure(fetch(server.url())) }
            #expect(await eventually { server.requests.count == 1 })
            task.cancel()
            #expect(await task.value == .cancelled)
            #expect(await eventually { closed.withLock { $0 } == 1 })
            _ = try await fetch(server.url()).answer().status
            #expect(await eventually { closed.withLock { $0 } == 2 })
            let early = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return await failure(fetch(server.url()))
            }
            #expect(await early.value == .cancelled)
        }
    }

    @Test("Failures name the cause and no part of the URL; only http and https are fetched")
    func failures() async throws {
        let server = try ScriptedServer { _ in }
        let url = server.url("/?token=secret")
        server.stop()
        let refused = await failure(fetch(url))
        #expect(refused == .notConnected(errno: ECONNREFUSED) && refused?.description == "connection refused")
        for url in [
            "file:///etc/passwd?secret", "ftp://127.49.0.1/secret", "http://user:secret@127.49.0.1/", "secret", "",
            "http://secret.invalid/", "http://127.49.0.1:99999/secret", "http://127.49.0.1/secret\r\nX: y",
        ] {
            let failure = await failure(fetch(url))
            #expect(failure != nil, "\(url)")
            #expect(failure?.description.contains("secret") == false)
        }
    }

    @Test("A thousand fetches at once share one thread")
    func many() async throws {
        try await withServer { connection in
            Thread.sleep(forTimeInterval: 0.2)
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        } _: { server in
            let answers = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<1_000 {
                    group.addTask { (try? await fetch(server.url()).wholeAnswer(bodyBytesMax: 2))?.status == 200 }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(answers == 1_000)
        }
    }
}
