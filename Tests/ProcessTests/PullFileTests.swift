import Foundation
import ReflectorModel
import TestSupport
import Testing

@testable import reflector

@Suite("A pull whose URL holds a secret", .serialized)
struct PullFileTests {
    /// Serves MPEG-TS to clients with the right name and password, 401 to others.
    private static let encoder = """
        import base64, http.server, sys, time
        wanted = 'Basic ' + base64.b64encode(b'news:s3cret').decode()
        class Encoder(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.headers.get('Authorization') != wanted:
                    return self.send_error(401)
                self.send_response(200)
                self.end_headers()
                packet = bytes([0x47, 0x1f, 0xff, 0x10]) + bytes(184)
                while True:
                    self.wfile.write(packet * 70)
                    time.sleep(0.1)
            def log_message(self, *words): pass
        host, port = sys.argv[1].rsplit(':', 1)
        http.server.ThreadingHTTPServer((host, int(port)), Encoder).serve_forever()
        """

    @Test("--pull STREAM=@FILE uses the file's URL, and neither the command line nor the log shows it")
    func file() async throws {
        try await TestNetwork.with(net: 110) { network in
            let port = Endpoint(address: try network.node("ep-bos").address, port: 7_002)
            try await network.startProgram("python3", ["-c", Self.encoder, "\(port)"], name: "encoder")
            let file = network.folder + "/pull-url"
            try Data("# the encoder in Boston\nhttp://news:s3cret@\(port)/sport.ts\n".utf8)
                .write(to: URL(fileURLWithPath: file))
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
            var arguments = try network.arguments(of: "ep-bos") + ["--pull", "live/news=@\(file)"]
            let readable = try Program.run(Program.reflector, arguments)
            #expect(readable.code == 2 && readable.errors.contains(file), "\(readable.errors)")
            #expect(!readable.errors.contains("s3cret"))
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)

            try await network.startAll(options: ["ep-bos": Array(arguments.suffix(2))])
            try await eventually("the pulled stream at the entrypoint", within: .seconds(15)) {
                (try await network.stream("live/news", at: "ep-bos")?.packetsIn ?? 0) > 50
            }
            let pid = try #require(await network.pid(of: "ep-bos"))
            let command = try String(contentsOfFile: "/proc/\(pid)/cmdline", encoding: .utf8)
            #expect(command.contains("live/news=@") && !command.contains("s3cret"))
            #expect(!network.log(of: "ep-bos").contains("s3cret"))

            try Data("two\nlines\n".utf8).write(to: URL(fileURLWithPath: file))
            arguments = ["entrypoint", "ep-bos", "--keys", network.keysPath, "--pull", "live/news=@\(file)"]
            arguments += ["--identity", network.identities.folder(of: "ep-bos")]
            let wrong = try Program.run(Program.reflector, arguments)
            #expect(wrong.code == 2 && wrong.errors.contains("does not hold one line with a URL"), "\(wrong.errors)")
        }
    }
}
