import Glibc
import ReflectorModel
import Testing

@testable import DatagramIO

@Suite("Sending and receiving", .serialized)
struct SendReceiveTests {
    private func offload(_ segment: Bool, _ coalesce: Bool) -> DatagramSocketOptions {
        var options = DatagramSocketOptions()
        options.segmentationOffload = segment
        options.receiveOffload = coalesce
        return options
    }

    @Test(
        "runs arrive as single datagrams, whole and in order, whichever side uses offload",
        arguments: [true, false], [true, false])
    func runs(segment: Bool, coalesce: Bool) throws {
        let loop = try DatagramLoop()
        let receiver = try DatagramSocket(bind: loopback("127.45.0.1"), options: offload(false, coalesce))
        let sender = try DatagramSocket(bind: loopback("127.45.0.2"), options: offload(segment, false))
        try loop.add(receiver)
        let outbox = Outbox()
        var sent: [[UInt8]] = []
        // 200 of one size, with header and body in separate buffers; then a shorter one, which ends their run; then
        // various sizes; then one without a body.
        for index in 0..<200 {
            let packet = numbered(index, size: 1_356)
            outbox.add(Array(packet[..<40]), body: Array(packet[40...]), to: receiver.local)
            sent.append(packet)
        }
        for size in [700, 1_356, 1_356, 1_400, 1, 9_000, 60_000] {
            let packet = numbered(sent.count, size: size)
            outbox.add([packet[0]], body: Array(packet[1...]), to: receiver.local)
            sent.append(packet)
        }
        outbox.add([1, 2, 3], to: receiver.local)
        sent.append([1, 2, 3])
        sender.send(outbox.batch)

        let probe = Probe(loop)
        probe.run(datagrams: sent.count)
        #expect(probe.seen.map(\.bytes) == sent)
        #expect(probe.seen.allSatisfy { $0.source == sender.local && $0.local == receiver.local.address })
        #expect(sender.statistics.datagramsSent == UInt64(sent.count))
        #expect(sender.statistics.datagramsUnsent == 0)
        #expect(receiver.statistics.datagramsReceived == UInt64(sent.count))
        #expect(receiver.statistics.bytesReceived == sender.statistics.bytesSent)
        if segment && sender.segmentsRuns {
            // A run has at most 65,000 bytes, so 47 datagrams of 1,356 bytes. The 200 give four runs of 47, and one of
            // the last 12 and the 700. The other runs are the two of 1,356, the 1,400 with the 1, and the 60,000 with
            // the 3; the 9,000 is sent alone.
            #expect(sender.statistics.runsSegmented == 4 + 1 + 1 + 1 + 1)
            #expect(sender.statistics.sendCalls == 1)
            #expect(coalesce == (receiver.statistics.messagesCoalesced > 0))
        } else {
            #expect(sender.statistics.runsSegmented == 0)
        }
    }

    @Test("a run has at most 64 datagrams, and destinations are not mixed")
    func runLimits() throws {
        let loop = try DatagramLoop()
        let first = try DatagramSocket(bind: loopback("127.45.0.1"))
        let second = try DatagramSocket(bind: loopback("127.45.0.3"))
        let sender = try DatagramSocket(bind: loopback("127.45.0.2"))
        try loop.add(first)
        try loop.add(second)
        let outbox = Outbox()
        for index in 0..<300 { outbox.add(numbered(index, size: 100), to: index < 200 ? first.local : second.local) }
        sender.send(outbox.batch)
        let probe = Probe(loop)
        probe.run(datagrams: 300)
        #expect(
            probe.seen.filter { $0.local == first.local.address }.map(\.bytes)
                == (0..<200).map { numbered($0, size: 100) })
        #expect(probe.seen.filter { $0.local == second.local.address }.count == 100)
        if sender.segmentsRuns { #expect(sender.statistics.runsSegmented == 4 + 2) }
    }

    @Test("65,536 datagrams pass, with far fewer system calls than datagrams")
    func many() throws {
        let loop = try DatagramLoop()
        let receiver = try DatagramSocket(bind: loopback("127.45.0.1"))
        let sender = try DatagramSocket(bind: loopback("127.45.0.2"))
        try loop.add(receiver)
        let outbox = Outbox(countMax: 512)
        for index in 0..<512 { outbox.add(numbered(index, size: 1_316), to: receiver.local) }
        let probe = Probe(loop)
        let (loopNow, total) = (loop.now, 128 * 512)
        var sentRounds = 0
        // One round in flight at a time, so that the result does not depend on the receive buffer size.
        probe.onTimer = { _ in
            sender.send(outbox.batch)
            sentRounds += 1
        }
        probe.onBatch = { _ in
            if probe.seen.count == sentRounds * 512, sentRounds < 128 { loop.nextWakeup = loop.now }
        }
        loop.nextWakeup = loopNow
        probe.run(datagrams: total)
        #expect(probe.seen.count == total)
        #expect(receiver.statistics.receiveBufferFull == 0)
        #expect(receiver.statistics.receiveCalls < UInt64(total / 8))
        for (index, seen) in probe.seen.enumerated() where seen.bytes != numbered(index % 512, size: 1_316) {
            Issue.record("datagram \(index) differs")
            break
        }
    }

    @Test("a run that the kernel refuses to segment is sent datagram by datagram, without retrying segmentation")
    func uncut() throws {
        let loop = try DatagramLoop()
        let receiver = try DatagramSocket(bind: loopback("127.45.0.1"))
        let sender = try DatagramSocket(bind: loopback("127.45.0.2"))
        try loop.add(receiver)
        // Without UDP checksums the kernel refuses to segment, as on a device that cannot compute them.
        var on: Int32 = 1
        #expect(setsockopt(sender.descriptor, SOL_SOCKET, SO_NO_CHECK, &on, 4) == 0)
        let outbox = Outbox()
        let packets = (0..<30).map { numbered($0, size: $0 == 29 ? 100 : 1_000) }
        for packet in packets { outbox.add(Array(packet[..<40]), body: Array(packet[40...]), to: receiver.local) }
        sender.send(outbox.batch)
        #expect(sender.statistics.segmentationFallbacks == 1)
        #expect(!sender.segmentsRuns)
        sender.send(outbox.batch)
        #expect(sender.statistics.segmentationFallbacks == 1)
        #expect(sender.statistics.datagramsSent == 60)
        #expect(sender.statistics.datagramsUnsent == 0)
        let probe = Probe(loop)
        probe.run(datagrams: 60)
        #expect(probe.seen.map(\.bytes) == packets + packets)
        // After the pause segmentation is tried again.
        sender.segmentationSuspendedUntil = loop.now
        #expect(sender.maySegment())
    }

    @Test("a datagram that cannot be sent is counted by cause, and the others are sent")
    func refused() throws {
        let loop = try DatagramLoop()
        let receiver = try DatagramSocket(bind: loopback("127.45.0.1"))
        let sender = try DatagramSocket(bind: loopback("127.45.0.2"))
        try loop.add(receiver)
        let outbox = Outbox()
        outbox.add(numbered(0, size: 50), to: receiver.local)
        outbox.add([1], body: numbered(1, size: 65_600), to: receiver.local)
        outbox.add(numbered(2, size: 50), to: loopback("127.45.0.1", port: 0))
        outbox.add(numbered(3, size: 50), to: loopback("::1", port: 9))
        outbox.add(numbered(4, size: 50), to: receiver.local)
        sender.send(outbox.batch)
        let probe = Probe(loop)
        probe.run(datagrams: 2)
        #expect(probe.seen.map(\.bytes) == [numbered(0, size: 50), numbered(4, size: 50)])
        #expect(sender.statistics.sendFailures == [EMSGSIZE: 1, EINVAL: 1])
        #expect(sender.statistics.sendWrongFamily == 1)
        #expect(sender.statistics.datagramsUnsent == 3)
    }

    @Test("runs work over IPv6 too")
    func version6() throws {
        let loop = try DatagramLoop()
        let receiver = try DatagramSocket(bind: loopback("::1"))
        let sender = try DatagramSocket(bind: loopback("::1"))
        try loop.add(receiver)
        let outbox = Outbox()
        for index in 0..<70 { outbox.add(numbered(index, size: 1_200), to: receiver.local) }
        sender.send(outbox.batch)
        let probe = Probe(loop)
        probe.run(datagrams: 70)
        #expect(probe.seen.map(\.bytes) == (0..<70).map { numbered($0, size: 1_200) })
        #expect(probe.seen.first?.source == sender.local)
    }

    @Test("empty datagrams are delivered")
    func empty() throws {
        let loop = try DatagramLoop()
        let receiver = try DatagramSocket(bind: loopback("127.45.0.1"))
        let sender = try DatagramSocket(bind: loopback("127.45.0.2"))
        try loop.add(receiver)
        let outbox = Outbox()
        for _ in 0..<3 { outbox.add([], to: receiver.local) }
        sender.send(outbox.batch)
        let probe = Probe(loop)
        probe.run(datagrams: 3)
        #expect(probe.seen.map(\.bytes) == [[], [], []])
    }

    @Test("datagrams longer than the loop's buffers are dropped and counted")
    func truncated() throws {
        var options = DatagramLoop.Options()
        options.receiveBufferBytes = 2_048
        let loop = try DatagramLoop(options: options)
        let receiver = try DatagramSocket(bind: loopback("127.45.0.1"))
        let sender = try DatagramSocket(bind: loopback("127.45.0.2"))
        try loop.add(receiver)
        let outbox = Outbox()
        outbox.add(numbered(0, size: 2_049), to: receiver.local)
        for index in 1..<10 { outbox.add(numbered(index, size: 2_048), to: receiver.local) }
        sender.send(outbox.batch)
        let probe = Probe(loop)
        probe.run(datagrams: 9)
        #expect(probe.seen.map(\.bytes) == (1..<10).map { numbered($0, size: 2_048) })
        #expect(receiver.statistics.receivedTruncated == 1)
        #expect(receiver.statistics.messagesCoalesced == 0)
    }

    @Test(
        "a wildcard-bound socket answers from the queried address",
        arguments: [("0.0.0.0", "127.45.7.9", "127.45.0.2"), ("::", "::1", "::1")])
    func wildcard(bind: String, asked: String, asker: String) throws {
        let loop = try DatagramLoop()
        let server = try DatagramSocket(bind: loopback(bind), options: .queries)
        let client = try DatagramSocket(bind: loopback(asker), options: .queries)
        try loop.add(server)
        try loop.add(client)
        let outbox = Outbox()
        outbox.add([7], to: loopback(asked, port: server.local.port))
        client.send(outbox.batch)
        let replies = ReplyBatch()
        let probe = Probe(loop)
        probe.onReceive = { datagram, socket in
            guard socket === server else { return }
            replies.append(to: datagram, lengthMax: 512) { room in
                room[0] = datagram.bytes[0] + 1
                return 1
            }
        }
        probe.onBatch = { socket in
            socket.send(replies)
            replies.removeAll()
        }
        probe.run(datagrams: 2)
        #expect(probe.seen.count == 2)
        #expect(probe.seen.first?.local == loopback(asked).address)
        #expect(probe.seen.last?.bytes == [8])
        #expect(probe.seen.last?.source == loopback(asked, port: server.local.port))
    }

    @Test("binding to a port in use throws an error that names the call and the address")
    func inUse() throws {
        let first = try DatagramSocket(bind: loopback("127.45.0.1"))
        let error = #expect(throws: DatagramError.self) { _ = try DatagramSocket(bind: first.local) }
        #expect(error?.code == EADDRINUSE)
        #expect(error?.description == "bind \(first.local): Address already in use (errno 98)")
    }

    @Test(
        "datagrams that the kernel drops at a full buffer are counted, with the next datagram or on request",
        arguments: [true, false])
    func overflow(isReported: Bool) throws {
        var options = DatagramSocketOptions()
        options.reportsDrops = isReported
        options.receiveBufferBytes = 4_096
        options.receiveOffload = false
        let loop = try DatagramLoop()
        let receiver = try DatagramSocket(bind: loopback("127.45.0.1"), options: options)
        let sender = try DatagramSocket(bind: loopback("127.45.0.2"), options: .queries)
        try loop.add(receiver)
        let outbox = Outbox()
        for index in 0..<200 { outbox.add(numbered(index, size: 1_000), to: receiver.local) }
        sender.send(outbox.batch)
        let probe = Probe(loop)
        // The count arrives with the next datagram that fits.
        probe.onBatch = { _ in
            if probe.seen.last?.bytes.count == 1 {
                loop.stop()
            } else {
                outbox.batch.removeAll()
                outbox.add([1], to: receiver.local)
                sender.send(outbox.batch)
            }
        }
        probe.run(datagrams: .max)
        if !isReported {
            #expect(receiver.statistics.receiveBufferFull == 0)
            receiver.readDrops()
        }
        #expect(receiver.statistics.receiveBufferFull > 0)
        #expect(receiver.statistics.receiveBufferFull + receiver.statistics.datagramsReceived == 201)
    }
}
