import Glibc
import ReflectorModel
import Testing

@testable import DatagramIO

@Suite("Sockets of an owner with several addresses", .serialized)
struct LocalSocketsTests {
    /// Answers each datagram with the same bytes from the address to which it was sent, like a node.
    private final class Echo: DatagramHandler {
        let locals = LocalSockets()
        let outbox = Outbox()
        func receive(_ datagram: ReceivedDatagram, on socket: DatagramSocket, at now: MonotonicInstant) {
            let bytes = Array(datagram.bytes)
            outbox.batch.append(
                to: datagram.source, from: locals.number(of: datagram, on: socket), headerLengthMax: bytes.count,
                body: nil
            ) { room in
                room.copyBytes(from: bytes)
                return bytes.count
            }
        }
        func batchEnded(on socket: DatagramSocket, at now: MonotonicInstant) {
            locals.send(outbox.batch)
            outbox.batch.removeAll()
        }
    }

    private static let hasV6 = (try? DatagramSocket(bind: Endpoint("[::1]:0")!)) != nil

    /// The source addresses of the answers to datagrams for these addresses.
    private func sources(_ bound: [String], asked: [String]) throws -> [String] {
        let loop = try DatagramLoop()
        let echo = Echo()
        var port: UInt16 = 0
        for text in bound {
            var endpoint = try #require(Endpoint(text))
            endpoint.port = port
            let socket = try DatagramSocket(bind: endpoint)
            port = socket.local.port
            try loop.add(socket)
            echo.locals.add(socket)
        }
        try loop.start(handler: echo)
        defer {
            loop.stop()
            loop.join()
        }
        return try asked.map { text in
            let address = try #require(IPAddress(text))
            let asker = try DatagramLoop()
            let any = address.isV4 ? "127.45.0.9:0" : "[::1]:0"
            let socket = try DatagramSocket(bind: try #require(Endpoint(any)))
            try asker.add(socket)
            let outbox = Outbox()
            outbox.add([1, 2, 3], to: Endpoint(address: address, port: port))
            socket.send(outbox.batch)
            let probe = Probe(asker)
            probe.run(datagrams: 1)
            return probe.seen.first.map { "\($0.source.address)" } ?? "none"
        }
    }

    @Test("With one socket per address, answers are sent from the address that was queried", .enabled(if: hasV6))
    func one() throws {
        let asked = ["127.45.0.1", "127.45.0.2", "::1"]
        #expect(try sources(["127.45.0.1:0", "127.45.0.2:0", "[::1]:0"], asked: asked) == asked)
    }

    @Test("With one socket per family, answers are also sent from the queried address", .enabled(if: hasV6))
    func wildcards() throws {
        let asked = ["127.45.0.3", "127.45.0.4", "::1", "127.45.0.3"]
        #expect(try sources(["[::]:0", "0.0.0.0:0"], asked: asked) == asked)
        #expect(try sources(["0.0.0.0:0"], asked: ["127.45.0.3", "127.45.0.4"]) == ["127.45.0.3", "127.45.0.4"])
    }

    @Test("A datagram of a family that no socket has is counted once, and the others are sent")
    func wrongFamily() throws {
        let locals = LocalSockets()
        for address in ["127.45.0.1:0", "127.45.0.2:0"] {
            locals.add(try DatagramSocket(bind: try #require(Endpoint(address))))
        }
        let outbox = Outbox()
        outbox.add([1], to: try #require(Endpoint("[2001:db8::1]:4900")))
        outbox.add([2], to: try #require(Endpoint("127.45.0.7:4900")))
        locals.send(outbox.batch)
        #expect(locals.unsentWrongFamily == 1)
        #expect(locals.sockets.map(\.statistics.datagramsSent) == [1, 0])
    }

    @Test("A datagram that the kernel refuses to send is reported with cause and remedy")
    func refused() throws {
        let socket = try DatagramSocket(bind: try #require(Endpoint("127.45.0.1:0")))
        let outbox = Outbox()
        outbox.add([1, 2], to: try #require(Endpoint("192.0.2.1:4900")))
        socket.send(outbox.batch)
        #expect(socket.statistics.sendFailuresTotal == 1)
        let failure = try #require(socket.lastFailure)
        #expect(failure.destination == Endpoint("192.0.2.1:4900"))
        #expect(failure.bytes == 2)
        let texts = [EMSGSIZE, ENOBUFS, EPERM, ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, EACCES].map { code in
            "\(SendFailure(code: code, destination: failure.destination, bytes: 2))"
        }
        #expect(Set(texts.map { $0.split(separator: ";").last ?? "" }).count == texts.count)
        #expect(texts[0].contains("--payload 1128"))
        #expect(texts[2].contains("firewall"))
    }
}
