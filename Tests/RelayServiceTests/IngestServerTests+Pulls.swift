import Foundation
import Logging
import ReflectorModel
import TestSupport
import Testing

@testable import RelayService

/// Streams fetched from encoders that serve them in different ways.
extension IngestServerTests {
    /// Serves 70 TS packets at each path, and writes each request's path and credentials to `requests`.
    private static let source = """
        import socket, threading, sys, base64
        body = b''.join(b'\\x47' + bytes([i]) * 187 for i in range(70))
        def serve(s, port):
            try:
                d = b''
                while b'\\r\\n\\r\\n' not in d: d += s.recv(4096)
                head = d.decode(); kind = head.split()[1].split('?')[0].strip('/')
                auth = [l for l in head.split('\\r\\n') if l.lower().startswith('authorization')]
                with open('requests', 'a') as f: f.write(f'{port} {kind} {auth}\\n')
                ok = b'HTTP/1.1 200 OK\\r\\n'
                def move(code, to, more=''): s.sendall(f'HTTP/1.1 {code} Moved\\r\\nLocation: {to}\\r\\n{more}\\r\\n'.encode())
                if kind == 'http10': s.sendall(b'HTTP/1.0 200 OK\\r\\n\\r\\n' + body)
                elif kind == 'length': s.sendall(ok + b'Content-Length: %d\\r\\n\\r\\n' % len(body) + body)
                elif kind == 'chunked': s.sendall(ok + b'Transfer-Encoding: chunked\\r\\n\\r\\n%x;a=b\\r\\n' % len(body) + body + b'\\r\\n0\\r\\n\\r\\n')
                elif kind == 'moved': move(302, f'http://127.47.0.4:{ports[0]}/length', 'Content-Length: 0\\r\\n')
                elif kind == 'relative': move(307, 'chunked?t=a%20b', 'Content-Length: 0\\r\\nConnection: keep-alive\\r\\n')
                elif kind == 'bare': move(301, '/http10')
                elif kind == 'auth' and auth: s.sendall(ok + b'\\r\\n' + body)
                elif kind == 'away': move(303, f'http://127.47.0.4:{ports[1]}/length')
                elif kind == 'loop': move(302, '/loop2')
                elif kind == 'loop2': move(302, '/loop')
                elif kind == 'page': s.sendall(ok + b'Content-Type: text/html\\r\\n\\r\\n' + b'<html>' * 500)
                else: s.sendall(b'HTTP/1.1 401 Unauthorized\\r\\nContent-Length: 0\\r\\n\\r\\n')
            except OSError: pass
            finally: s.close()
        def listen(l):
            while True: threading.Thread(target=serve, args=(l.accept()[0], l.getsockname()[1]), daemon=True).start()
        ls = [socket.create_server(('127.47.0.4', 0)) for _ in range(2)]
        ports = [l.getsockname()[1] for l in ls]
        with open('ports.new', 'w') as f: f.write(f'{ports[0]} {ports[1]}')
        import os; os.rename('ports.new', 'ports')
        threading.Thread(target=listen, args=(ls[1],), daemon=True).start()
        listen(ls[0])
        """

    @Test("Pulls from different kinds of servers work; passwords go only to their own server, and never into a log")
    func pulls() async throws {
        try await withTemporaryFolder { folder in
            try Self.source.write(toFile: folder + "/source.py", atomically: true, encoding: .utf8)
            let encoder = try Companion(["python3", "source.py"], folder: folder)
            defer { encoder.stop() }
            #expect(await eventually { FileManager.default.fileExists(atPath: folder + "/ports") })
            let ports = try String(contentsOfFile: folder + "/ports", encoding: .utf8).split(separator: " ")
            let good = ["http10", "length", "chunked", "moved", "relative", "bare", "auth", "away"]
            let bad = ["loop": "form a loop", "page": "does not send MPEG-TS", "secret": "401"]
            var configuration = try configuration()
            configuration.pulls = try (good + bad.keys.sorted()).map { kind in
                let user = ["auth", "away", "relative"].contains(kind) ? "user:pa%20ss@" : ""
                let text = "live/\(kind)=http://\(user)127.47.0.4:\(ports[0])/\(kind)?token=tok"
                return try #require(IngestConfiguration.Pull(text))
            }
            let sink = MemorySink()
            let log = LogCollector()
            try await withServer(sink: sink, configuration, logger: log.logger) { server, _ in
                for pull in configuration.pulls { server.setPullWanted(true, pull.stream) }
                for kind in good {
                    let name = try #require(StreamName("live/\(kind)"))
                    #expect(await eventually { sink.now.bytesByStream[name, default: 0] >= 70 * 188 }, "\(kind)")
                }
                for (kind, reason) in bad {
                    let isSaid = await eventually {
                        log.lines.contains { $0.contains("stream=live/\(kind)") && $0.contains(reason) }
                    }
                    #expect(isSaid, "\(kind)")
                }
            }
            let requests = try String(contentsOfFile: folder + "/requests", encoding: .utf8)
            #expect(requests.contains("\(ports[0]) away ['Authorization: Basic dXNlcjpwYSBzcw==']"))
            #expect(requests.contains("\(ports[0]) chunked ['Authorization: Basic dXNlcjpwYSBzcw==']"))
            #expect(requests.contains("\(ports[1]) length []") && !requests.contains("\(ports[1]) length ['"))
            #expect(log.lines.allSatisfy { !$0.contains("pa%20ss") && !$0.contains("dXNlc") && !$0.contains("tok") })
        }
    }
}
