import CAllocations
import DNSAnswers
import Foundation
import LDNSKit
import ReflectorModel
import Testing

/// Every run uses a million mutated queries; `REFLECTOR_FUZZ_QUERIES=50000000` (tools/fuzz) sets another number, and
/// `REFLECTOR_FUZZ_SEED` another seed.
@Suite("Mutated queries")
struct QueryFuzzTests {
    private static let shards = 4

    private static func environment(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    @Test("No trap; every reply is well formed, fits, and repeats the question; nothing is allocated, nothing leaks")
    func mutations() async throws {
        let total = Self.environment("REFLECTOR_FUZZ_QUERIES") ?? 1_000_000
        let seed = Self.environment("REFLECTOR_FUZZ_SEED") ?? 20_041
        let start = ContinuousClock.now
        var report = FuzzReport()
        try await withThrowingTaskGroup(of: FuzzReport.self) { group in
            for shard in 0..<Self.shards {
                group.addTask {
                    let count = total / UInt64(Self.shards)
                    var run = try FuzzRun(seed: seed &+ UInt64(shard) &* 1_000_003, count: count)
                    for _ in 0..<count { run.step() }
                    return run.finish()
                }
            }
            for try await shard in group { report += shard }
        }
        let rate = Double(total) / Double((ContinuousClock.now - start) / .seconds(1))
        print(
            "fuzz: \(total) queries, seed \(seed), \(report.replies) replies read by ldns, \(Int(rate)) a second, "
                + "\(report.outcomes) outcomes, resident memory grew by \(report.grownKilobytes) KiB in the second half"
        )
        #expect(report.failures == [], "seed \(seed)")
        #expect(report.allocations == 0)
        #expect(report.grownKilobytes < 8_192)
        #expect(report.outcomes > 20, "the queries must reach nearly every outcome")
    }
}

private struct FuzzReport {
    var replies = 0
    var allocations: UInt64 = 0
    var failures: [String] = []
    /// Number of different outcomes reached.
    var outcomes = 0
    var grownKilobytes = 0

    static func += (a: inout FuzzReport, b: FuzzReport) {
        a.replies += b.replies
        a.allocations += b.allocations
        a.failures += b.failures.prefix(5)
        a.outcomes = max(a.outcomes, b.outcomes)
        a.grownKilobytes = max(a.grownKilobytes, b.grownKilobytes)
    }
}

private struct FuzzRun {
    private let exchange: Exchange
    private var mutator: QueryMutator
    private var report = FuzzReport()
    private var sent: UInt64 = 0
    /// Number of queries after which memory growth is measured: by then the allocator has the size that ldns and the
    /// test itself need.
    private let half: UInt64
    private var residentBefore = 0

    init(seed: UInt64, count: UInt64) throws {
        half = count / 2
        exchange = Exchange(try ExampleZone.engine(), limiter: .init(answersPerSecond: 1_000, buckets: 256))
        exchange.cookies = ServerCookies([try #require(ServerCookies.Secret([UInt8](repeating: 7, count: 16)))])
        mutator = QueryMutator(seed: seed)
    }

    mutating func step() {
        sent += 1
        if sent == half { residentBefore = residentKilobytes() }
        let message = mutator.next()
        let transport: Responder.Transport = mutator.number(below: 4) == 0 ? .tcp : .udp
        let source = IPAddress(v4: 0xc000_0200 + UInt32(mutator.number(below: 2_048)))
        exchange.instant = MonotonicInstant(nanoseconds: Int64(sent) * 100_000)
        exchange.now = 1_700_000_000 + Int64(sent / 10_000)
        let isPrivileged = mutator.number(below: 2) == 0
        let before = allocations_of_this_thread()
        let reply = exchange.send(message, from: source, over: transport, privileged: isPrivileged)
        // Only `send` is counted, not the allocation of the array `message`.
        report.allocations += allocations_of_this_thread() - before
        guard !reply.isEmpty else { return }
        if let failure = fault(in: reply, to: message, over: transport), report.failures.count < 5 {
            report.failures.append("\(failure): \(message) -> \([UInt8](reply))")
        }
    }

    mutating func finish() -> FuzzReport {
        if sent > half, half > 0 { report.grownKilobytes = residentKilobytes() - residentBefore }
        let outcomes = AnswerCounter.allCases.filter { $0 != .received && !AnswerCounter.onTop.contains($0) }
        if exchange.count(.received) != sent || outcomes.reduce(0, { $0 + exchange.count($1) }) != sent {
            report.failures.append("some queries are not counted exactly once")
        }
        report.outcomes = AnswerCounter.allCases.filter { exchange.count($0) > 0 }.count
        return report
    }

    /// The error in a reply; nil if there is none.
    private mutating func fault(
        in reply: UnsafeRawBufferPointer, to message: [UInt8], over transport: Responder.Transport
    ) -> String? {
        guard message.count >= 12, message[2] & 0x80 == 0 else { return "a reply to a message that is not a query" }
        report.replies += 1
        let parsed: LDNSMessage
        do {
            parsed = try LDNSMessage.parse(reply)
        } catch {
            return "ldns: \(error)"
        }
        if reply[0] != message[0] || reply[1] != message[1] { return "wrong id" }
        if reply[2] & 0xf9 != message[2] & 0x79 | 0x80 { return "wrong opcode or RD" }
        if reply[3] & 0xf0 != 0 { return "flags that are not ours to set" }
        if parsed.isTruncated, !parsed.answers.isEmpty || !parsed.authority.isEmpty { return "truncated with records" }
        if transport == .udp, reply.count > (parsed.edns == nil ? 512 : AnswerEngine.udpSizeMax) { return "too long" }
        if parsed.edns.map({ $0.udpSize != 1_232 || $0.version != 0 }) ?? false { return "wrong OPT" }
        if !parsed.questions.isEmpty {
            var end = 12
            while end < message.count, message[end] != 0 { end += 1 + Int(message[end]) }
            end += 5
            guard end <= message.count, reply.count >= end, reply[12..<end].elementsEqual(message[12..<end]) else {
                return "wrong question"
            }
        }
        if let cookie = parsed.edns?.options.first(where: { $0.code == EDNSOption.cookie }) {
            if cookie.data.count != 24 { return "a cookie of \(cookie.data.count) bytes" }
            mutator.cookie = cookie.data
        }
        return nil
    }
}

private func residentKilobytes() -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS") } ?? ""
    return line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0
}
