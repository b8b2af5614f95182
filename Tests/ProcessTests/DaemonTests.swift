import Foundation
import Glibc
import ReflectorModel
import TestSupport
import Testing

@testable import reflector

@Suite("Daemons and their environment", .serialized)
struct DaemonTests {
    @Test("systemd gets READY when a node is reachable, RELOADING and READY at SIGHUP, keep-alives, and STOPPING")
    func serviceManager() async throws {
        try await TestNetwork.with(net: 84) { network in
            for name in ["ns1", "edge-bos"] {
                let socket = try NotifySocket(network.folder + "/\(name).notify")
                let pid = try await network.startProgram(
                    "env",
                    ["NOTIFY_SOCKET=\(socket.path)", "WATCHDOG_USEC=200000", Program.reflector]
                        + (try network.arguments(of: name)), name: name)
                try await eventually("READY of \(name)") { socket.heard.contains("READY=1") }
                #expect(try await OpsIsUp.check(network.node(name).ops))
                try await eventually("keep-alives") { socket.heard.count { $0 == "WATCHDOG=1" } > 2 }
                kill(pid, SIGHUP)
                try await eventually("RELOADING") {
                    guard let at = socket.heard.firstIndex(where: { $0.hasPrefix("RELOADING=1\nMONOTONIC_USEC=") })
                    else { return false }
                    return socket.heard[at...].contains("READY=1")
                }
                if name == "edge-bos" {
                    kill(pid, SIGTERM)
                    try await eventually("STOPPING") { socket.heard.contains("STOPPING=1") }
                }
            }
        }
    }

    @Test("notifications also reach an abstract socket; a missing or invalid socket is not an error")
    func notifyAddresses() throws {
        ServiceManager(environment: [:]).ready()
        for text in ["", "@", "relative", "/" + String(repeating: "x", count: 200), "/nowhere/at/all"] {
            ServiceManager(environment: ["NOTIFY_SOCKET": text]).ready()
        }
        let socket = try NotifySocket("@reflector-test-\(UUID().uuidString)")
        ServiceManager(environment: ["NOTIFY_SOCKET": socket.path]).ready()
        #expect(socket.heard == ["READY=1"])
        #expect(ServiceManager(environment: ["WATCHDOG_USEC": "3000000"]).watchdogInterval == .milliseconds(1_500))
        #expect(ServiceManager(environment: ["WATCHDOG_USEC": "3", "WATCHDOG_PID": "1"]).watchdogInterval == nil)
        #expect(ServiceManager(environment: ["WATCHDOG_USEC": "-3"]).watchdogInterval == nil)
    }

    @Test("an address in use is reported with the remedy, and the exit status is 1")
    func addressInUse() async throws {
        try await TestNetwork.with(net: 85) { network in
            try await network.start("ns1")
            try await network.waitUntilReady("ns1")
            try await network.start("sjc-1")
            try await network.waitUntilReady("sjc-1")
            let relay = try network.node("sjc-1")
            let again = try Program.run(Program.reflector, try network.arguments(of: "sjc-1"))
            #expect(again.code == 1)
            #expect(
                again.errors.contains("cannot listen on UDP \(relay.address):4900 for the relay protocol: Address al"))
            #expect(again.errors.contains("another process listens there (ss -ulpn"))
            let ops = try Program.run(
                Program.reflector, try network.arguments(of: "sjc-1") + ["--listen", "\(relay.address):4901"])
            #expect(ops.code == 1)
            #expect(
                ops.errors.contains("cannot listen on TCP \(relay.ops) for health and status: Address already in use"))
        }
    }

    @Test("a node survives a log that it cannot write, and writes its log lines as JSON if requested")
    func logs() async throws {
        try await TestNetwork.with(net: 86) { network in
            try await network.start("ns1")
            try await network.waitUntilReady("ns1")
            let words = [Program.reflector] + (try network.arguments(of: "sjc-1"))
            let line = words.map { "'\($0)'" }.joined(separator: " ")
            try await network.startProgram("bash", ["-c", "exec \(line) 2>/dev/full"], name: "full")
            try await network.waitUntilReady("sjc-1")

            try await network.start("edge-bos", options: ["--log-format", "json"])
            try await network.waitUntilReady("edge-bos")
            let logged = network.log(of: "edge-bos").split(separator: "\n")
            #expect(!logged.isEmpty)
            for line in logged {
                let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String]
                #expect(object?["level"] != nil && object?["msg"] != nil && object?["time"] != nil, "\(line)")
            }
        }
    }

    @Test("a node continues while nobody reads its log, and reports the omitted lines to the next reader")
    func unreadLog() async throws {
        try await TestNetwork.with(net: 89) { network in
            try await network.start("ns1")
            try await network.waitUntilReady("ns1")
            let path = network.folder + "/unread"
            try #require(mkfifo(path, 0o600) == 0)
            let pipe = open(path, O_RDWR | O_NONBLOCK)
            defer { close(pipe) }
            let filler = [UInt8](repeating: UInt8(ascii: "x"), count: 4_096)
            while Glibc.write(pipe, filler, filler.count) > 0 {}
            let words = [Program.reflector] + (try network.arguments(of: "sjc-1"))
            let line = words.map { "'\($0)'" }.joined(separator: " ")
            let pid = try await network.startProgram("bash", ["-c", "exec \(line) 2>'\(path)'"], name: "unread")
            try await network.waitUntilReady("sjc-1")

            let before = Self.readAll(pipe)
            #expect(!before.isEmpty && before.allSatisfy { $0 == UInt8(ascii: "x") })
            kill(pid, SIGHUP)
            var text = ""
            for _ in 0..<100 where !text.contains("omitted because nobody read them") || !text.hasSuffix("\n") {
                try await Task.sleep(for: .milliseconds(100))
                text += String(decoding: Self.readAll(pipe), as: UTF8.self)
            }
            #expect(text.contains("omitted because nobody read them") && text.hasSuffix("\n"), "\(text)")
        }
    }

    /// The bytes that a pipe holds now.
    private static func readAll(_ descriptor: Int32) -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let piece = [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
                count = max(read(descriptor, buffer.baseAddress, buffer.count), 0)
            }
            guard !piece.isEmpty else { return bytes }
            bytes += piece
        }
    }

    @Test("started with standard input, output and error closed, a node opens no socket in their place")
    func closedStandardFiles() async throws {
        try await TestNetwork.with(net: 90) { network in
            try await network.start("ns1")
            try await network.waitUntilReady("ns1")
            let words = [Program.reflector] + (try network.arguments(of: "sjc-1"))
            let line = words.map { "'\($0)'" }.joined(separator: " ")
            let pid = try await network.startProgram("bash", ["-c", "exec \(line) <&- >&- 2>&-"], name: "closed")
            try await network.waitUntilReady("sjc-1")
            for descriptor in 0...2 {
                let target = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/fd/\(descriptor)")
                #expect(target == "/dev/null")
            }
        }
    }

    @Test("a log line is one line for any content, and can be parsed back")
    func logLines() throws {
        let nasty = "a\r\nb\u{1b}[31m \"c\" \\ =\u{0}\u{7f}é"
        let fields = [("msg", nasty), ("a key", "plain"), ("empty", "")]
        let logfmt = LineLogHandler.line(fields, .logfmt)
        #expect(!logfmt.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7f })
        #expect(logfmt.hasSuffix(" a_key=plain empty=\"\""))
        let json = LineLogHandler.line(fields, .json)
        let object = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: String]
        #expect(object == ["msg": nasty, "a key": "plain", "empty": ""])
    }

    @Test("options out of range are usage errors, not crashes")
    func options() throws {
        let rest = ["--identity", "/nowhere"]
        for arguments in [
            ["entrypoint", "ep-bos", "--payload", "-5000"], ["entrypoint", "ep-bos", "--payload", "1317"],
            ["set", "sjc-1", "--deadline", "9223372036854775807"], ["set", "sjc-1", "--deadline=-1"],
            ["set", "sjc-1", "--log-format", "xml"],
        ] {
            let result = try Program.run(Program.reflector, arguments + rest)
            #expect(result.code == 2, "\(arguments): \(result.errors)")
        }
    }
}

/// Whether a process answers at `/healthz`.
private enum OpsIsUp {
    static func check(_ endpoint: Endpoint) async throws -> Bool {
        try Program.run("curl", ["-sf", "--max-time", "2", "http://\(endpoint)/healthz"]).code == 0
    }
}

/// A notification socket like that of systemd.
private final class NotifySocket {
    let path: String
    private let descriptor: Int32
    private var messages: [String] = []

    init(_ path: String) throws {
        self.path = path
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = Array(path.utf8)
        if name[0] == UInt8(ascii: "@") { name[0] = 0 } else { name.append(0) }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        }
        guard code == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    }

    deinit { close(descriptor) }

    /// All notifications so far.
    var heard: [String] {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        // The socket does not block.
        var count = recv(descriptor, &buffer, buffer.count, 0)
        while count > 0 {
            messages.append(String(decoding: buffer[..<count], as: UTF8.self))
            count = recv(descriptor, &buffer, buffer.count, 0)
        }
        return messages
    }
}
