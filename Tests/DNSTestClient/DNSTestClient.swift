import Glibc
import LDNSKit

/// Queries a name server over real sockets, one query at a time, for tests.
public struct DNSTestClient: Sendable {
    public struct Failure: Error {
        public var why: String
        public init(why: String) { self.why = why }
    }

    private let address: String
    public let port: UInt16

    /// - Parameter address: dotted IPv4.
    public init(_ address: String, port: UInt16) {
        self.address = address
        self.port = port
    }

    /// Queries over UDP, and again over TCP if the answer is truncated.
    public func ask(_ name: String, _ type: UInt16 = 1) throws -> LDNSMessage {
        let query = try LDNSMessage.query(id: UInt16.random(in: 0...UInt16.max), name: name, type: type)
        for _ in 0..<3 {
            let reply = try exchange(query, datagram: true)
            guard !reply.isEmpty else { continue }
            let message = try LDNSMessage.parse(reply)
            return message.isTruncated ? try askStream([query])[0] : message
        }
        throw Failure(why: "no answer to \(name)")
    }

    /// Sends all queries on one TCP connection before reading any answer.
    public func askStream(_ queries: [[UInt8]]) throws -> [LDNSMessage] {
        let socket = try open(SOCK_STREAM)
        defer { close(socket) }
        var out: [UInt8] = []
        for query in queries { out += [UInt8(query.count >> 8), UInt8(query.count & 255)] + query }
        guard Glibc.send(socket, out, out.count, Int32(MSG_NOSIGNAL)) == out.count else { throw Failure(why: "send") }
        return try queries.map { _ in
            let length = try read(socket, 2)
            return try LDNSMessage.parse(read(socket, Int(length[0]) << 8 | Int(length[1])))
        }
    }

    /// Sends raw bytes and returns what arrives within a second; empty if nothing does.
    public func exchange(_ bytes: [UInt8], datagram: Bool) throws -> [UInt8] {
        let socket = try open(datagram ? SOCK_DGRAM : SOCK_STREAM)
        defer { close(socket) }
        guard Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            throw Failure(why: "send")
        }
        var buffer = [UInt8](repeating: 0, count: 65_535)
        let count = recv(socket, &buffer, buffer.count, 0)
        return Array(buffer.prefix(max(count, 0)))
    }

    /// Sends datagrams without waiting for answers, but not so fast that a receiver would drop them.
    public func flood(_ datagrams: some Sequence<[UInt8]>) throws {
        let socket = try open(SOCK_DGRAM)
        defer { close(socket) }
        var buffer = [UInt8](repeating: 0, count: 65_535)
        for (number, bytes) in datagrams.enumerated() {
            _ = Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL))
            // To pace the flood, every 32nd datagram is followed by a query that is always answered.
            if number % 32 == 31 {
                let probe = try LDNSMessage.query(id: 1, name: "version.invalid", type: 1)
                _ = Glibc.send(socket, probe, probe.count, Int32(MSG_NOSIGNAL))
                _ = recv(socket, &buffer, buffer.count, 0)
                while recv(socket, &buffer, buffer.count, Int32(MSG_DONTWAIT)) > 0 {}
            }
        }
    }

    /// Sends all datagrams at once and returns every answer until none arrives for a second.
    public func burst(_ datagrams: [[UInt8]]) throws -> [[UInt8]] {
        let socket = try open(SOCK_DGRAM)
        defer { close(socket) }
        for bytes in datagrams { _ = Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }
        var replies: [[UInt8]] = []
        var buffer = [UInt8](repeating: 0, count: 65_535)
        while replies.count < datagrams.count {
            let count = recv(socket, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            replies.append(Array(buffer.prefix(count)))
        }
        return replies
    }

    func open(_ kind: __socket_type) throws -> Int32 {
        let socket = Glibc.socket(AF_INET, Int32(kind.rawValue), 0)
        var target = sockaddr_in()
        target.sin_family = sa_family_t(AF_INET)
        target.sin_port = port.bigEndian
        inet_pton(AF_INET, address, &target.sin_addr)
        var patience = timeval(tv_sec: 1, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let code = withUnsafeBytes(of: &target) { bytes in
            connect(socket, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
        guard code == 0 else {
            close(socket)
            throw Failure(why: "connect \(address):\(port): \(String(cString: strerror(errno)))")
        }
        return socket
    }

    private func read(_ socket: Int32, _ count: Int) throws -> [UInt8] {
        var result: [UInt8] = []
        while result.count < count {
            var buffer = [UInt8](repeating: 0, count: count - result.count)
            let length = recv(socket, &buffer, buffer.count, 0)
            guard length > 0 else { throw Failure(why: "connection ended after \(result.count) of \(count) bytes") }
            result += buffer.prefix(length)
        }
        return result
    }
}
