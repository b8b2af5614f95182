import DatagramIO
import Foundation
import ReflectorModel
import Testing

@Suite("reflector impair", .serialized)
struct ImpairTests {
    @Test("forwards both ways through one port per client, with the losses that it reports")
    func forwards() throws {
        let count = 20_000
        let loop = try DatagramLoop()
        let target = try DatagramSocket(bind: endpoint("127.45.2.1:0"))
        let clients = try [
            DatagramSocket(bind: endpoint("127.45.2.2:0")), DatagramSocket(bind: endpoint("127.45.2.2:0")),
        ]
        for socket in [target] + clients { try loop.add(socket) }
        let process = try ImpairProcess([
            "--listen", "127.45.2.3:0", "--to", "\(target.local)", "--bind", "127.45.2.4",
            "--loss-up", "2%", "--burst", "3", "--delay", "2ms", "--jitter", "1ms", "--seed", "7",
        ])
        defer { process.kill() }
        let echo = Echo(loop, target: target, clients: clients, relay: process.listening, countMax: count)
        loop.nextWakeup = loop.now
        loop.run(handler: echo)
        let report = try process.end()

        let lost = report.up.lost
        #expect(report.up.offered == UInt64(count))
        #expect(UInt64(echo.atTarget) == UInt64(count) - lost)
        #expect(UInt64(echo.atClients) == UInt64(count) - lost)
        #expect(report.down.lost == 0)
        #expect(report.forwarded == 2 * (UInt64(count) - lost))
        #expect(report.clients == 2)
        #expect(report.unsent == 0 && report.inFlight == 0)
        #expect((0.01...0.03).contains(Double(lost) / Double(count)))
        #expect((2.0...4.0).contains(Double(lost) / Double(report.up.lossRuns)))
        // The relay uses one port per client, on the given address, keeps the order in spite of jitter, and replies
        // from the address that it listens on.
        #expect(echo.sources.count == 2)
        #expect(echo.sources.allSatisfy { $0.address == IPAddress("127.45.2.4") })
        #expect(echo.outOfOrder == 0)
        #expect(echo.strange == 0)
        #expect(echo.fastest >= .milliseconds(2))
    }

    @Test("invalid settings are refused with exit 2 before anything is bound")
    func refused() throws {
        for arguments in [
            ["--listen", "127.45.2.3:0"], ["--listen", "0.0.0.0:0", "--to", "127.45.2.1:1"],
            ["--listen", "127.45.2.3:0", "--to", "127.45.2.1:1", "--loss", "90%", "--burst", "2"],
            ["--listen", "127.45.2.3:0", "--to", "[::1]:1"], ["--map", "nonsense"],
        ] {
            let process = Process()
            process.executableURL = ImpairProcess.program
            process.arguments = ["impair"] + arguments
            process.standardError = Pipe()
            try process.run()
            process.waitUntilExit()
            #expect(process.terminationStatus == 2, "\(arguments)")
        }
    }

    private func endpoint(_ text: String) throws -> Endpoint { try #require(Endpoint(text)) }
}

/// Clients that send numbered datagrams in small bursts, and a target that sends each one back.
private final class Echo: DatagramHandler {
    let loop: DatagramLoop
    let target: DatagramSocket
    let clients: [DatagramSocket]
    let relay: Endpoint
    let countMax: Int
    var sent = 0
    var atTarget = 0
    var atClients = 0
    var outOfOrder = 0
    var strange = 0
    var sources: Set<Endpoint> = []
    /// More datagrams than are usually on the way to the target, but few enough for any socket buffer.
    private static let underWayMax = 300
    /// Datagrams considered lost.
    private var givenUp = 0
    /// Shortest round trip.
    var fastest = TimeSpan.seconds(1_000)
    private var highest: [Endpoint: UInt64] = [:]
    private var sentAt: [MonotonicInstant] = []
    private let replies = ReplyBatch(countMax: 256)
    private var batch: DatagramBatch
    private let headers = UnsafeMutableRawBufferPointer.allocate(byteCount: 4_096, alignment: 8)
    private var quietSince: MonotonicInstant

    init(_ loop: DatagramLoop, target: DatagramSocket, clients: [DatagramSocket], relay: Endpoint, countMax: Int) {
        self.loop = loop
        self.target = target
        self.clients = clients
        self.relay = relay
        self.countMax = countMax
        batch = DatagramBatch(countMax: 64, headers: headers)
        quietSince = loop.now
    }

    deinit { headers.deallocate() }

    func timerFired(at now: MonotonicInstant) {
        if sent < countMax, underWay > Self.underWayMax {
            // One of the two processes is delayed: more datagrams would not fit into its socket buffer.
            if now - quietSince > .milliseconds(300) { givenUp += underWay }
            loop.nextWakeup = now + .milliseconds(1)
        } else if sent < countMax {
            for client in clients {
                for _ in 0..<10 {
                    batch.append(to: relay, headerLengthMax: 8, body: nil) { slot in
                        slot.storeBytes(of: UInt64(sent), as: UInt64.self)
                        return 8
                    }
                    sent += 1
                    sentAt.append(now)
                }
                client.send(batch)
                batch.removeAll()
            }
            quietSince = now
            loop.nextWakeup = now + .milliseconds(1)
        } else if now - quietSince > .milliseconds(300) {
            loop.stop()
        } else {
            loop.nextWakeup = now + .milliseconds(50)
        }
    }

    /// Datagrams on the way to the target, without those that the relay should drop (2 %) and those considered lost.
    private var underWay: Int { sent - atTarget - sent / 50 - givenUp }

    func receive(_ datagram: ReceivedDatagram, on socket: DatagramSocket, at now: MonotonicInstant) {
        guard datagram.bytes.count == 8 else {
            strange += 1
            return
        }
        let number = datagram.bytes.loadUnaligned(as: UInt64.self)
        quietSince = now
        if socket === target {
            atTarget += 1
            sources.insert(datagram.source)
            if let before = highest[datagram.source], before >= number { outOfOrder += 1 }
            highest[datagram.source] = number
            if !replies.hasRoom(lengthMax: 8) { flush() }
            replies.append(to: datagram, lengthMax: 8) { room in
                room.copyMemory(from: UnsafeRawBufferPointer(datagram.bytes))
                return 8
            }
        } else {
            atClients += 1
            if datagram.source != relay || clients[Int(number / 10) % 2] !== socket { strange += 1 }
            fastest = min(fastest, now - sentAt[Int(number)])
        }
    }

    func batchEnded(on socket: DatagramSocket, at now: MonotonicInstant) { flush() }

    private func flush() {
        target.send(replies)
        replies.removeAll()
    }
}

/// A running `reflector impair`.
private final class ImpairProcess {
    struct Report: Decodable {
        struct Counts: Decodable {
            var offered: UInt64
            var lost: UInt64
            var lossRuns: UInt64
        }
        var up: Counts
        var down: Counts
        var forwarded: UInt64
        var clients: UInt64
        var unsent: UInt64
        var inFlight: Int
    }

    let listening: Endpoint
    private let process = Process()
    private let output = Pipe()

    /// The program is in the folder of the test program.
    static var program: URL {
        URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appendingPathComponent("reflector")
    }

    init(_ arguments: [String]) throws {
        let errors = Pipe()
        process.executableURL = Self.program
        process.arguments = ["impair"] + arguments
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        var line = ""
        // Ends a program that prints nothing: its pipe is then at its end, and the loop below stops.
        let process = process
        let patience = DispatchWorkItem { process.terminate() }
        DispatchQueue.global().asyncAfter(deadline: .now() + 10, execute: patience)
        defer { patience.cancel() }
        while !line.contains("\n"), line.count < 1 << 16 {
            let data = errors.fileHandleForReading.availableData
            if data.isEmpty { break }
            line += String(decoding: data, as: UTF8.self)
        }
        let field = line.split(separator: " ").first { $0.hasPrefix("listen=") }
        listening = try #require(field.flatMap { Endpoint($0.dropFirst("listen=".count)) }, "\(line)")
    }

    func end() throws -> Report {
        process.terminate()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return try JSONDecoder().decode(Report.self, from: data)
    }

    func kill() { if process.isRunning { process.terminate() } }
}
