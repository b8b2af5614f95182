import CAllocations
import Glibc
import ReflectorModel
import Synchronization
import Testing

@testable import DatagramIO

@Suite("The loop", .serialized)
struct LoopTests {
    @Test("an idle loop does not wake")
    func idle() throws {
        let loop = try DatagramLoop()
        let socket = try DatagramSocket(bind: loopback("127.45.1.1"))
        try loop.add(socket)
        try loop.start(handler: Probe(loop))
        let wakeups = Mutex<[UInt64]>([])
        let (entered, left) = (Gate(), Gate())
        loop.execute {
            wakeups.withLock { $0.append(loop.wakeups) }
            entered.open()
        }
        entered.wait()
        usleep(300_000)
        loop.execute {
            wakeups.withLock { $0.append(loop.wakeups) }
            left.open()
        }
        left.wait()
        loop.stop()
        loop.join()
        // The one wake-up in between is caused by the query itself.
        #expect(wakeups.withLock { $0.count == 2 && $0[1] - $0[0] == 1 })
    }

    @Test("the timer fires once, never early, and again only when set again")
    func timer() throws {
        let loop = try DatagramLoop()
        let probe = Probe(loop)
        let begin = loop.now
        let due = begin + .microseconds(700)
        probe.onTimer = { now in
            if probe.fired.count == 1 {
                #expect(now >= due)
                #expect(loop.nextWakeup == nil)
                loop.nextWakeup = now + .milliseconds(2)
            } else {
                #expect(now - probe.fired[0] >= .milliseconds(2))
                loop.stop()
            }
        }
        loop.nextWakeup = due
        probe.run(datagrams: .max)
        #expect(probe.fired.count == 2)
    }

    @Test("after a late wake-up everything waiting is received before the timer fires")
    func late() throws {
        let loop = try DatagramLoop()
        let receiver = try DatagramSocket(bind: loopback("127.45.1.1"), options: .queries)
        let sender = try DatagramSocket(bind: loopback("127.45.1.2"))
        try loop.add(receiver)
        let outbox = Outbox()
        // More than one visit receives, which is 4 batches of 64.
        for index in 0..<2_000 { outbox.add(numbered(index, size: 20), to: receiver.local) }
        sender.send(outbox.batch)
        let probe = Probe(loop)
        var seenAtTimer = -1
        probe.onTimer = { _ in
            seenAtTimer = probe.seen.count
            loop.stop()
        }
        loop.nextWakeup = loop.now - .milliseconds(21)
        probe.run(datagrams: .max)
        #expect(seenAtTimer == 2_000)
    }

    @Test("a punctual timer does not wait for a flood")
    func punctual() throws {
        let loop = try DatagramLoop()
        let receiver = try DatagramSocket(bind: loopback("127.45.1.1"), options: .queries)
        let sender = try DatagramSocket(bind: loopback("127.45.1.2"))
        try loop.add(receiver)
        let outbox = Outbox()
        for index in 0..<2_000 { outbox.add(numbered(index, size: 20), to: receiver.local) }
        sender.send(outbox.batch)
        let probe = Probe(loop)
        var seenAtTimer = -1
        probe.onTimer = { _ in
            seenAtTimer = probe.seen.count
            loop.stop()
        }
        loop.nextWakeup = loop.now
        probe.run(datagrams: .max)
        #expect(seenAtTimer == 64 * DatagramLoop.batchesPerVisit)
    }

    @Test("work from other threads runs on the loop's thread, in order, and reaches the handler")
    func mailbox() async throws {
        let loop = try DatagramLoop()
        let handler = try loop.start(handler: Probe(loop), name: "mailbox-test")
        for index in 0..<1_000 {
            loop.execute {
                handler.value.seen.append(
                    Probe.Seen(bytes: numbered(index, size: 4), source: loopback("::1"), local: loopback("::1").address)
                )
            }
        }
        let seen = await loop.query { handler.value.seen.map(\.bytes) }
        #expect(seen == (0..<1_000).map { numbered($0, size: 4) })
        #expect(await loop.query { loop.isCurrent } == true)
        #expect(!loop.isCurrent)
        loop.stop()
    }

    @Test("a full mailbox refuses work and counts it; accepted work always runs; a stopped loop refuses work")
    func mailboxFull() throws {
        var options = DatagramLoop.Options()
        options.mailboxMax = 10
        let loop = try DatagramLoop(options: options)
        let ran = Atomic<Int>(0)
        let accepted = (0..<15).filter { _ in loop.execute { ran.add(1, ordering: .relaxed) } }
        #expect(accepted.count == 10)
        #expect(loop.mailboxDropped == 5)
        loop.stop()
        loop.run(handler: Probe(loop))
        #expect(ran.load(ordering: .relaxed) == 10)
        #expect(!loop.execute {})
    }

    @Test("a handler may remove sockets, even the one it is being called for")
    func removal() throws {
        let loop = try DatagramLoop()
        let receiver = try DatagramSocket(bind: loopback("127.45.1.1"))
        let sender = try DatagramSocket(bind: loopback("127.45.1.2"))
        try loop.add(receiver)
        let outbox = Outbox()
        for index in 0..<10 { outbox.add(numbered(index, size: 20), to: receiver.local) }
        sender.send(outbox.batch)
        let probe = Probe(loop)
        probe.onReceive = { _, socket in
            if probe.seen.count == 3 {
                loop.remove(socket)
                loop.remove(socket)
            }
        }
        probe.run(datagrams: .max, within: .milliseconds(20))
        #expect(probe.seen.count == 3)
        try loop.add(receiver)
        #expect(receiver.slot == 0)
    }

    @Test("steady traffic allocates nothing")
    func allocations() throws {
        let loop = try DatagramLoop()
        let receiver = try DatagramSocket(bind: loopback("127.45.1.1"))
        let sender = try DatagramSocket(bind: loopback("127.45.1.2"))
        try loop.add(receiver)
        let outbox = Outbox()
        for index in 0..<256 { outbox.add(numbered(index, size: 1_316), to: receiver.local) }
        let echo = Echo(loop, sender: sender, outbox: outbox, roundsMax: 220)
        loop.nextWakeup = loop.now
        loop.run(handler: echo)
        #expect(echo.received == 220 * 256)
        #expect(echo.allocationsAtEnd == echo.allocationsWhenWarm)
        #expect(echo.allocationsAtEnd > 0, "allocations must be counted at all")
    }
}

/// Sends a batch, and the next one once all its datagrams are received. Counts allocations after 20 rounds and at the
/// end.
private final class Echo: DatagramHandler {
    let loop: DatagramLoop
    let sender: DatagramSocket
    let outbox: Outbox
    let roundsMax: Int
    var rounds = 0
    var received = 0
    var allocationsWhenWarm: UInt64 = 0
    var allocationsAtEnd: UInt64 = 0

    init(_ loop: DatagramLoop, sender: DatagramSocket, outbox: Outbox, roundsMax: Int) {
        self.loop = loop
        self.sender = sender
        self.outbox = outbox
        self.roundsMax = roundsMax
    }

    func receive(_ datagram: ReceivedDatagram, on socket: DatagramSocket, at now: MonotonicInstant) { received += 1 }

    func batchEnded(on socket: DatagramSocket, at now: MonotonicInstant) {
        guard received == rounds * 256 else { return }
        if rounds == 20 { allocationsWhenWarm = allocations_of_this_thread() }
        if rounds == roundsMax {
            allocationsAtEnd = allocations_of_this_thread()
            loop.stop()
        } else {
            loop.nextWakeup = now
        }
    }

    func timerFired(at now: MonotonicInstant) {
        rounds += 1
        sender.send(outbox.batch)
    }
}

/// Opens once; threads wait for it. (The tests block real threads on purpose.)
final class Gate: Sendable {
    private let end = EndSignal()
    func open() { end.raise() }
    func wait() { end.wait() }
}
