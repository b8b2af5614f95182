import Foundation
import Glibc
import LDNSKit
import ReflectorModel
import TestSupport
import Testing

@Suite("TCP clients that never finish", .serialized)
struct SlowLorisTests {
    private static let connections = 10_000
    private static let server = "127.81.2.20"
    private static let port: UInt16 = 5_388

    @Test("10,000 connections that rarely send a byte do not affect UDP, memory, or TCP for others")
    func slowLoris() async throws {
        try allowDescriptors(Self.connections + 512)
        try await RunningNameServer.with(net: 80, ["--listen", "\(Self.server):\(Self.port)"]) { server in
            let before = try residentKilobytes(server.pid)
            #expect(try unanswered(200) == 0)
            let loris = Loris()
            defer { loris.close() }
            // The connections come from forty addresses, so that no limit per client applies.
            try loris.open(Self.connections, to: Self.server, port: Self.port)
            #expect(loris.count == Self.connections)
            var lost = 0
            for round in 0..<10 {
                // The length of a query, then a byte of it at a time.
                loris.send(round == 0 ? [0, 200] : [UInt8(round)])
                lost += try unanswered(100)
            }
            #expect(lost == 0, "UDP queries without an answer while \(Self.connections) connections are open")
            let grown = try residentKilobytes(server.pid) - before
            print("slow loris: \(Self.connections) connections, UDP lost \(lost) of 1000, memory grew by \(grown) KiB")
            #expect(grown < 65_536)
            try await eventually("an answer by TCP", within: .seconds(30)) {
                try Program.run(
                    "dig",
                    [
                        "@\(Self.server)", "-p", "\(Self.port)", "+tcp", "+short", "+time=2", "+tries=1",
                        "n1.r1283.s4096.reflector.net",
                    ]
                ).lines == ["127.80.2.5"]
            }
            #expect(!server.hasEnded)
        }
    }

    /// Sends this many UDP queries, one after the other. Returns how many had no answer within a second.
    private func unanswered(_ count: Int) throws -> Int {
        let socket = try UDPSocket(try #require(Endpoint("127.81.2.21:0")))
        defer { socket.close() }
        let target = try #require(Endpoint("\(Self.server):\(Self.port)"))
        var lost = 0
        for number in 0..<count {
            let id = UInt16(truncatingIfNeeded: number + 1)
            socket.send(try LDNSMessage.query(id: id, name: "n1.r1283.s4096.reflector.net", type: 1), to: target)
            var polled = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&polled, 1, 1_000) == 1, let reply = socket.receive(),
                let message = try? LDNSMessage.parse(reply.bytes), message.id == id, message.answers.count == 1
            else {
                lost += 1
                continue
            }
        }
        return lost
    }

    private func allowDescriptors(_ count: Int) throws {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(resource, &limit) == 0 else { throw NeverCame(what: "RLIMIT_NOFILE", last: "\(errno)") }
        guard limit.rlim_cur < rlim_t(count) else { return }
        limit.rlim_cur = rlim_t(count)
        limit.rlim_max = max(limit.rlim_max, limit.rlim_cur)
        guard setrlimit(resource, &limit) == 0 else {
            throw NeverCame(what: "\(count) open files", last: String(cString: strerror(errno)))
        }
    }

    private func residentKilobytes(_ pid: pid_t) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS") } ?? ""
        return line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0
    }
}

/// Many TCP connections from forty addresses.
private final class Loris {
    private var sockets: [Int32] = []

    var count: Int { sockets.count }

    func open(_ count: Int, to address: String, port: UInt16) throws {
        var target = try Self.address(address, port: port)
        for number in 0..<count {
            let opened = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            guard opened >= 0 else { throw NeverCame(what: "socket \(number)", last: String(cString: strerror(errno))) }
            sockets.append(opened)
            var source = try Self.address("127.81.3.\(number % 40 + 1)", port: 0)
            let size = socklen_t(MemoryLayout<sockaddr_in>.size)
            // IP_BIND_ADDRESS_NO_PORT: connections to other destinations may use the same port.
            var flag: Int32 = 1
            setsockopt(opened, SOL_IP, 24, &flag, socklen_t(MemoryLayout<Int32>.size))
            let code = withUnsafeBytes(of: &source) { source in
                bind(opened, source.baseAddress?.assumingMemoryBound(to: sockaddr.self), size)
            }
            guard code == 0 else { throw NeverCame(what: "bind", last: String(cString: strerror(errno))) }
            _ = fcntl(opened, F_SETFL, O_NONBLOCK)
            _ = withUnsafeBytes(of: &target) { target in
                connect(opened, target.baseAddress?.assumingMemoryBound(to: sockaddr.self), size)
            }
            // The server's backlog is short: let it accept.
            if number % 100 == 99 { usleep(2_000) }
        }
    }

    /// Sends on every connection that is still open.
    func send(_ bytes: [UInt8]) {
        for socket in sockets { _ = Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT)) }
    }

    func close() {
        for socket in sockets { Glibc.close(socket) }
        sockets = []
    }

    private static func address(_ text: String, port: UInt16) throws -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        guard inet_pton(AF_INET, text, &address.sin_addr) == 1 else { throw NeverCame(what: text, last: "no address") }
        return address
    }
}
