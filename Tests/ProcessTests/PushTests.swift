import Foundation
import ReflectorModel
import TestSupport
import Testing

@testable import reflector

@Suite("reflector push to several entrypoints")
struct PushTests {
    /// Two servers, the command of argv with `--to ADDRESS:PORT` of both inserted, and a source whose packets have
    /// numbers. The first server closes its first connection after 300,000 bytes (`cut`), stops reading there
    /// (`stall`), or answers 401 to every request (`refuse`). Prints the result as JSON.
    private static let script = """
        import json, os, socket, subprocess, sys, threading, time
        mode, command = sys.argv[1], sys.argv[2:]
        def packet(number): return bytes([0x47, 0x1f, 0xff, 0x10]) + number.to_bytes(184, 'big')
        class Server:
            def __init__(self, mode):
                self.mode, self.requests = mode, []
                self.listener = socket.create_server(('127.0.0.1', 0))
                self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 262_144)
                self.to = '127.0.0.1:%d' % self.listener.getsockname()[1]
                threading.Thread(target=self.run, daemon=True).start()
            def run(self):
                while True:
                    connection, _ = self.listener.accept()
                    request = {'chunks': [], 'whole': False}
                    self.requests.append(request)
                    threading.Thread(target=self.serve, args=(connection, request, len(self.requests) == 1),
                                     daemon=True).start()
            def serve(self, connection, request, first):
                file = connection.makefile('rb')
                while file.readline() not in (b'\\r\\n', b''): pass
                if self.mode == 'refuse':
                    connection.sendall(b'HTTP/1.1 401 Unauthorized\\r\\nContent-Length: 0\\r\\n\\r\\n')
                    connection.close()
                    return
                size = 0
                while line := file.readline():
                    count = int(line, 16)
                    bytes_ = file.read(count)
                    if len(bytes_) < count: return
                    file.readline()
                    if count == 0:
                        request['whole'] = True
                        connection.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n')
                        return
                    request['chunks'].append(bytes_)
                    size += count
                    if first and size > 300_000:
                        if self.mode == 'cut':
                            connection.shutdown(socket.SHUT_RDWR)
                            return
                        if self.mode == 'stall': time.sleep(60)
        servers = [Server(mode), Server('read')]
        at = command.index('--')
        words = command[:at] + [word for server in servers for word in ('--to', server.to)]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=False,
                                   env=dict(os.environ, REFLECTOR_STREAM_KEY='a-key-of-a-test'))
        rounds, packets = (250, 300) if mode == 'stall' else (250, 10)
        source = []
        for turn in range(rounds):
            part = b''.join(packet(turn * packets + index) for index in range(packets))
            source.append(part)
            # Cut anywhere, so that reads end within packets.
            process.stdin.write(part[:1000]); process.stdin.flush()
            process.stdin.write(part[1000:]); process.stdin.flush()
            time.sleep(0.01)
        process.stdin.close()
        errors = process.stderr.read().decode()
        source = b''.join(source)
        starts = []
        for server in servers:
            row = []
            for request in server.requests:
                body = b''.join(request['chunks'])
                start = int.from_bytes(body[4:188], 'big') * 188 if body else -1
                row.append({'start': start, 'bytes': len(body), 'whole': request['whole'],
                            'isWithin': not body or source[start:start + len(body)] == body})
            starts.append(row)
        print(json.dumps({'code': process.wait(), 'errors': errors, 'bytes': len(source), 'requests': starts,
                          'to': servers[0].to}))
        """

    private struct Result: Decodable {
        struct Request: Decodable {
            /// Where in the source its body begins, by the number of its first packet.
            var start: Int
            var bytes: Int
            var whole: Bool
            /// Its body is a part of the source without a gap.
            var isWithin: Bool
        }

        var code: Int32
        var errors: String
        /// Of the source.
        var bytes: Int
        /// Of the first server and of the second.
        var requests: [[Request]]
        /// The first server.
        var to: String

        var lines: [Substring] { errors.split(separator: "\n") }
    }

    private func push(_ mode: String) throws -> Result {
        let result = try Program.run(
            "python3", ["-c", Self.script, mode, Program.reflector, "push", "live/news", "--"], seconds: 40)
        #expect(result.code == 0, "\(result.errors)")
        return try JSONDecoder().decode(Result.self, from: Data(result.output.utf8))
    }

    /// The second server gets everything in one request, whatever happens to the first one.
    private func expectUndisturbed(_ result: Result) {
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.requests[1].count == 1)
        #expect(result.requests[1].allSatisfy { $0.start == 0 && $0.bytes == result.bytes && $0.whole })
    }

    @Test("After a connection breaks, the entrypoint gets the same bytes as the other, from a packet's start on")
    func reconnection() throws {
        let result = try push("cut")
        expectUndisturbed(result)
        let requests = result.requests[0]
        #expect(requests.count == 2 && requests.allSatisfy(\.isWithin))
        #expect(requests.first?.start == 0)
        let last = try #require(requests.last)
        #expect(last.start % 188 == 0 && last.start >= 300_000)
        #expect(last.start + last.bytes == result.bytes && last.whole)
        #expect(result.lines.count { $0.contains("trying again") } == 1, "\(result.errors)")
        #expect(result.lines.count { $0.contains("receives the stream again") } == 1, "\(result.errors)")
        #expect(result.lines.allSatisfy { $0.hasPrefix("reflector: \(result.to): ") }, "\(result.errors)")
    }

    @Test("An entrypoint that stops reading does not delay the other, and is connected again")
    func stalled() throws {
        let result = try push("stall")
        expectUndisturbed(result)
        let last = try #require(result.requests[0].last)
        #expect(result.requests[0].count >= 2)
        #expect(last.isWithin && last.start + last.bytes == result.bytes && last.whole)
        #expect(result.lines.count { $0.contains("trying again") } == 1, "\(result.errors)")
    }

    @Test("push logs a refusal once and goes on pushing to the other entrypoint")
    func refusal() throws {
        let result = try push("refuse")
        expectUndisturbed(result)
        #expect(result.lines.count { $0.contains("401") } == 1, "\(result.errors)")
    }

    @Test("If no entrypoint accepts the stream to its end, the exit status is 1; an entrypoint given twice is 2")
    func allFail() throws {
        let arguments = ["REFLECTOR_STREAM_KEY=a-key-of-a-test", Program.reflector, "push", "live/news"]
        // Nobody listens on port 1.
        let refused = try Program.run("env", arguments + ["--to", "127.0.0.1:1", "--to", "127.0.0.2:1"])
        #expect(refused.code == 1 && refused.errors.contains("127.0.0.2:1"), "\(refused.errors)")
        let twice = try Program.run("env", arguments + ["--to", "127.0.0.1:1", "--to", "127.0.0.1:1"])
        #expect(twice.code == 2 && twice.errors.contains("twice"), "\(twice.errors)")
    }
}

@Suite("Chunks that wait for a destination of a push")
struct ChunkBacklogTests {
    private func chunk(_ value: UInt8, count: Int = 10) -> ChunkBacklog.Chunk {
        ChunkBacklog.Chunk([UInt8](repeating: value, count: count)[...])
    }

    /// What the connection would be sent now, by the first byte of each chunk.
    private func rest(of backlog: inout ChunkBacklog) -> [UInt8] {
        var values: [UInt8] = []
        while case .chunk(let chunk) = backlog.next() { values.append(chunk.framed[3]) }
        return values
    }

    @Test("A connection gets all chunks in order, then the end")
    func order() {
        var backlog = ChunkBacklog()
        for value in 1...5 { backlog.append(chunk(UInt8(value))) }
        #expect(rest(of: &backlog) == [1, 2, 3, 4, 5])
        backlog.append(chunk(6))
        backlog.end(isWhole: true)
        #expect(rest(of: &backlog) == [6])
        guard case .end(isWhole: true) = backlog.next() else {
            Issue.record("the end is not told")
            return
        }
        #expect(backlog.takeDropped() == 0)
    }

    @Test("When the backlog is full, it keeps only the newest chunk and the connection is behind until the next one")
    func full() {
        var backlog = ChunkBacklog(bytesMax: 30)
        for value in 1...3 { backlog.append(chunk(UInt8(value))) }
        #expect(!backlog.isBehind)
        backlog.append(chunk(4))
        #expect(backlog.isBehind && rest(of: &backlog).isEmpty)
        backlog.append(chunk(5))
        backlog.disconnected()
        backlog.connected()
        #expect(rest(of: &backlog) == [5])
        #expect(backlog.takeDropped() == 40)
        #expect(backlog.takeDropped() == 0)
    }

    @Test("After a disconnection, the next connection begins with the newest whole chunk, not with one sent in part")
    func disconnection() {
        var backlog = ChunkBacklog()
        backlog.append(chunk(1))
        _ = backlog.next()
        backlog.disconnected()
        backlog.connected()
        #expect(rest(of: &backlog).isEmpty)
        #expect(backlog.takeDropped() == 10)
        backlog.disconnected()
        for value in 2...4 { backlog.append(chunk(UInt8(value))) }
        backlog.connected()
        backlog.append(chunk(5))
        #expect(rest(of: &backlog) == [4, 5])
        #expect(backlog.takeDropped() == 20)
    }

    @Test("Attempts follow at once, then after 0.5, 1 and 2 s; after 401 every 5 s; push logs each cause once")
    func retries() {
        var retries = PushRetries()
        let broken = HTTPPush.Failure.system("", ECONNREFUSED)
        let pauses = (0..<5).map { _ in retries.failed(broken) }
        #expect(pauses.map(\.pause) == [.zero, .milliseconds(500), .seconds(1), .seconds(2), .seconds(2)])
        #expect(pauses.map(\.tells) == [true, false, false, false, false])
        let refusals = (0..<2).map { _ in retries.failed(.refused("HTTP/1.1 401 Unauthorized")) }
        #expect(refusals.map(\.pause) == [.seconds(5), .seconds(5)])
        #expect(refusals.map(\.tells) == [true, false])
        let ends = [retries.succeeded(), retries.succeeded()]
        #expect(ends == [true, false])
        // Another encoder may leave soon.
        let conflict = retries.failed(.refused("HTTP/1.1 409 Conflict"))
        #expect(conflict.pause == .zero)
    }
}
