import Foundation
import ReflectorModel
import TestSupport
import Testing

@testable import reflector

@Suite("Random and mutated datagrams", .serialized)
struct GarbageTests {
    private static let count = 100_000
    /// The most bytes that may wait at a port before the test sends more: fewer than any socket buffer holds.
    private static let waitingMax = 65_536
    /// The most that a process may grow, in KiB.
    private static let growthMax = 16_384

    @Test("After 100,000 datagrams to each port, service continues, memory stays flat, rejects are counted by reason")
    func garbage() async throws {
        let net: UInt8 = 80
        try await TestNetwork.with(net: net) { network in
            try await network.startAll()
            try await network.startEncoder(
                try #require(StreamName("live/news")), file: TestPictureFile.path, at: "ep-bos")
            try await network.startViewer(of: "edge-bos", name: "viewer")
            try await eventually("delivery") {
                (try await network.stream("live/news", at: "edge-bos")?.delivered ?? 0) > 300
            }
            let socket = try UDPSocket(try #require(Endpoint("127.\(net).14.1:0")))
            defer { socket.close() }
            var random = SplitMix(state: 0x5eed)

            let server = try network.node("ns1")
            let queries = try ["n1.r1283.s4096", "n1.r1283", "www", "sets.s7", "_status"].map { name in
                Self.query(name + ".reflector.net", type: [1, 28, 33, 16, 255][Int(try #require(name.utf8.last)) % 5])
            }
            let answered = try await flood("ns1", server.dns, queries, from: socket, in: network, &random)
            #expect(
                try Program.dig("+short", "n1.r1283.s4096.reflector.net", server: "\(server.address)").output
                    == "127.\(net).2.5\n")
            #expect(answered.filter { $0.value > 0 }.count > 8)
            print("ns1:", Self.line(answered))

            let messages = try Self.vectors()
            #expect(messages.count > 15)
            for name in ["nyc-1", "edge-bos"] {
                let node = try network.node(name)
                let endpoint = Endpoint(address: node.address, port: 4_900)
                let delivered = try await network.stream("live/news", at: "edge-bos")?.delivered ?? 0
                let rejected = try await flood(name, endpoint, messages, from: socket, in: network, &random)
                    .filter { $0.key.contains("rejected") && $0.value > 0 }
                print("\(name):", Self.line(rejected))
                #expect(rejected.count >= 4)
                #expect(rejected.values.reduce(0, +) > Double(Self.count) * 0.9)
                try await eventually("delivery continues") {
                    (try await network.stream("live/news", at: "edge-bos")?.delivered ?? 0) > delivered + 300
                }
            }
            #expect(try await network.stream("live/news", at: "edge-bos")?.lost == 0)
        }
    }

    /// Sends `count` datagrams to one port, as fast as its node reads them. Returns the growth of the node's counters.
    private func flood(
        _ name: String, _ endpoint: Endpoint, _ samples: [[UInt8]], from socket: UDPSocket, in network: TestNetwork,
        _ random: inout SplitMix
    ) async throws -> [String: Double] {
        let pid = try #require(await network.pid(of: name))
        let before = try counters(of: network.node(name).ops)
        let memory = try residentKiB(pid)
        for number in 0..<Self.count {
            socket.send(Self.garbage(samples, &random), to: endpoint)
            if number.isMultiple(of: 50) {
                while socket.receive() != nil {}
                try await Task.sleep(for: .milliseconds(1))
                // Let a delayed node catch up before sending more: datagrams that do not fit into its socket buffer are
                // not counted.
                try await eventually("room at \(endpoint)", every: .milliseconds(1)) {
                    try Self.waiting(at: endpoint) < Self.waitingMax
                }
            }
        }
        try await eventually("all read at \(endpoint)", every: .milliseconds(1)) {
            try Self.waiting(at: endpoint) == 0
        }
        let grown = try residentKiB(pid) - memory
        #expect(grown < Self.growthMax, "\(name) grew by \(grown) KiB")
        print("\(name): \(Self.count) datagrams, resident memory \(memory) KiB before, \(grown) KiB more after")
        return try counters(of: network.node(name).ops).reduce(into: [:]) { grew, counter in
            grew[counter.key] = counter.value - (before[counter.key] ?? 0)
        }
    }

    /// Bytes that wait at a UDP port of this machine, as the kernel counts them.
    private static func waiting(at endpoint: Endpoint) throws -> Int {
        let address = String(endpoint.address.v4.byteSwapped, radix: 16, uppercase: true)
        let port = String(endpoint.port, radix: 16, uppercase: true)
        func padded(_ text: String, _ length: Int) -> String {
            String(repeating: "0", count: length - text.count) + text
        }
        let local = padded(address, 8) + ":" + padded(port, 4)
        let sockets = try String(contentsOfFile: "/proc/net/udp", encoding: .utf8).split(separator: "\n")
            .map { $0.split(separator: " ") }.filter { $0.count > 4 && $0[1] == local }
        try #require(!sockets.isEmpty, "nothing is bound to \(endpoint)")
        // The fifth field is tx_queue:rx_queue.
        return sockets.reduce(0) { $0 + (Int($1[4].suffix(8), radix: 16) ?? 0) }
    }

    /// One third is noise, two thirds are real messages with bytes changed, removed or added.
    private static func garbage(_ samples: [[UInt8]], _ random: inout SplitMix) -> [UInt8] {
        if Int.random(in: 0..<3, using: &random) == 0 {
            return (0..<Int.random(in: 0...200, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        }
        guard var bytes = samples.randomElement(using: &random) else { return [] }
        for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
            bytes[Int.random(in: bytes.indices, using: &random)] = .random(in: 0...255, using: &random)
        }
        switch Int.random(in: 0..<8, using: &random) {
        case 0: bytes.removeLast(Int.random(in: 0...bytes.count, using: &random))
        case 1: bytes.append(contentsOf: repeatElement(0x41, count: Int.random(in: 1...1_200, using: &random)))
        default: break
        }
        return bytes
    }

    /// A query with EDNS.
    private static func query(_ name: String, type: UInt8) -> [UInt8] {
        var bytes: [UInt8] = [0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1]
        for label in name.split(separator: ".") { bytes += [UInt8(label.utf8.count)] + Array(label.utf8) }
        return bytes + [0, 0, type, 0, 1] + [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]
    }

    /// The test vectors of WireFormat.md that are messages.
    private static func vectors() throws -> [[UInt8]] {
        let file = Program.root.appendingPathComponent("Sources/RelayWire/WireFormat.md")
        let text = try String(contentsOf: file, encoding: .utf8)
        let block = text.components(separatedBy: "```vectors").last?.components(separatedBy: "```").first ?? ""
        var messages: [[UInt8]] = []
        for line in block.split(separator: "\n") {
            if line.hasSuffix(":") {
                messages.append([])
            } else if !messages.isEmpty {
                var hex = line.drop { $0 == " " }
                while let byte = UInt8(hex.prefix(2), radix: 16) {
                    messages[messages.count - 1].append(byte)
                    hex = hex.dropFirst(2)
                }
            }
        }
        return messages.filter { [0x10, 0x11, 0x12, 0x13, 0x14, 0x20, 0x30, 0x31].contains($0.first ?? 0) }
    }

    /// Every counter of a process, by its name and labels.
    private func counters(of ops: Endpoint) throws -> [String: Double] {
        let text = try Program.run("curl", ["-s", "--max-time", "5", "http://\(ops)/metrics"]).output
        return text.split(separator: "\n").filter { !$0.hasPrefix("#") && $0.contains("_total") }
            .reduce(into: [:]) { all, line in
                let parts = line.split(separator: " ")
                all[parts.dropLast().joined(separator: " "), default: 0] += parts.last.flatMap { Double($0) } ?? 0
            }
    }

    private func residentKiB(_ pid: pid_t) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
        return try #require(Int(line.split { $0 == " " || $0 == "\t" }[1]))
    }

    private static func line(_ counters: [String: Double]) -> String {
        counters.filter { $0.value > 0 }.sorted { $0.key < $1.key }
            .map { "\($0.key.replacing("reflector_", with: "").replacing("_total", with: "")) \(Int($0.value))" }
            .joined(separator: ", ")
    }
}

/// A generator that gives the same numbers in every run.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
