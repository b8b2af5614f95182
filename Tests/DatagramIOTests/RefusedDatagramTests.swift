import Glibc
import ReflectorModel
import Testing

@testable import DatagramIO

@Suite("A socket learns which datagrams nobody receives", .serialized)
struct RefusedDatagramTests {
    /// A port on which nobody listens.
    private func closedPort(_ address: String) throws -> Endpoint { try DatagramSocket(bind: loopback(address)).local }

    private func send(_ packets: [[UInt8]], to destination: Endpoint, from socket: DatagramSocket) {
        let outbox = Outbox()
        for packet in packets { outbox.add(packet, to: destination) }
        socket.send(outbox.batch)
    }

    private func run(_ probe: Probe, for span: TimeSpan = .milliseconds(100)) {
        probe.run(datagrams: .max, within: span)
    }

    @Test("The handler learns where a refused datagram went and how it began", arguments: ["127.45.1.1", "::1"])
    func reported(address: String) throws {
        let loop = try DatagramLoop()
        let socket = try DatagramSocket(bind: loopback(address), options: .relay)
        try loop.add(socket)
        let closed = try closedPort(address)
        let packet = numbered(7, size: 1_200)
        send([packet], to: closed, from: socket)
        let probe = Probe(loop)
        run(probe)
        #expect(probe.refused.map(\.destination) == [closed])
        let quoted = probe.refused.first?.quoted ?? []
        #expect(quoted.count == 64 && packet.starts(with: quoted))
        #expect(socket.statistics.portsUnreachable == 1 && socket.statistics.receiveFailures == 0)
        #expect(socket.statistics.datagramsUnsent == 0)
        // The error has left the queue: nothing wakes the loop any more.
        #expect(loop.wakeups < 10)
    }

    @Test("A socket bound to all addresses reports refused datagrams too", arguments: ["0.0.0.0", "::"])
    func wildcard(address: String) throws {
        let loop = try DatagramLoop()
        let socket = try DatagramSocket(bind: loopback(address), options: .relay)
        try loop.add(socket)
        let closed = try closedPort(address == "::" ? "::1" : "127.45.1.2")
        send([[1, 2, 3]], to: closed, from: socket)
        let probe = Probe(loop)
        run(probe)
        #expect(probe.refused.map(\.destination) == [closed] && probe.refused.first?.quoted == [1, 2, 3])
    }

    @Test("The error of one datagram costs no other: neither in the same batch, nor in the next one, nor in a run")
    func nothingLost() throws {
        let loop = try DatagramLoop()
        let socket = try DatagramSocket(bind: loopback("127.45.1.3"), options: .relay)
        let receiver = try DatagramSocket(bind: loopback("127.45.1.4"))
        try loop.add(receiver)
        let closed = try closedPort("127.45.1.5")
        var sent: [[UInt8]] = []
        for round in 0..<20 {
            let outbox = Outbox()
            for index in 0..<5 {
                let packet = numbered(round * 5 + index, size: index < 3 ? 400 : 500 + index)
                // Before, between and behind the others, so that an error waits at each place of a batch.
                if index == round % 5 { outbox.add([UInt8(round)], to: closed) }
                outbox.add(packet, to: receiver.local)
                sent.append(packet)
            }
            if round % 2 == 0 { outbox.add([UInt8(round)], to: closed) }
            socket.send(outbox.batch)
        }
        let probe = Probe(loop)
        probe.run(datagrams: sent.count, within: .seconds(1))
        #expect(probe.seen.map(\.bytes) == sent)
        #expect(socket.statistics.datagramsUnsent == 0 && socket.statistics.datagramsSent == UInt64(sent.count + 30))
        #expect(socket.statistics.sendsRepeated > 0)
    }

    @Test("Datagrams that wait in a socket with errors are all received, and the errors after them")
    func receivedDespiteErrors() throws {
        let loop = try DatagramLoop()
        let socket = try DatagramSocket(bind: loopback("127.45.1.6"), options: .relay)
        let other = try DatagramSocket(bind: loopback("127.45.1.7"))
        try loop.add(socket)
        let closed = try closedPort("127.45.1.8")
        var sent: [[UInt8]] = []
        for round in 0..<10 {
            let packets = (0..<50).map { numbered(round * 50 + $0, size: 300 + $0) }
            send(packets, to: socket.local, from: other)
            send([[9]], to: closed, from: socket)
            sent += packets
        }
        let probe = Probe(loop)
        run(probe)
        #expect(probe.seen.map(\.bytes) == sent)
        #expect(!probe.refused.isEmpty && socket.statistics.receiveFailures == 0)
    }

    @Test("A destination that no route reaches fails once more and is counted; the others are sent")
    func realFailure() throws {
        let socket = try DatagramSocket(bind: loopback("127.45.1.9"), options: .relay)
        let receiver = try DatagramSocket(bind: loopback("127.45.1.10"))
        let outbox = Outbox()
        outbox.add([1], to: Endpoint(address: IPAddress(v4: .max), port: 9))
        outbox.add([2], to: receiver.local)
        socket.send(outbox.batch)
        #expect(socket.statistics.datagramsSent == 1 && socket.statistics.sendFailuresTotal == 1)
        #expect(socket.statistics.sendsRepeated == 1)
    }

    @Test("Without the option nobody is told, and nothing fails")
    func withoutOption() throws {
        let loop = try DatagramLoop()
        let socket = try DatagramSocket(bind: loopback("127.45.1.11"))
        try loop.add(socket)
        let closed = try closedPort("127.45.1.12")
        for _ in 0..<5 { send([[1], [2]], to: closed, from: socket) }
        let probe = Probe(loop)
        run(probe)
        #expect(probe.refused.isEmpty && socket.statistics.portsUnreachable == 0)
        #expect(socket.statistics.datagramsSent == 10 && socket.statistics.sendsRepeated == 0)
    }
}
