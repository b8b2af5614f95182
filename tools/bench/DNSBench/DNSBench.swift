import CAllocations
import DNSAnswers
import Foundation
import ReflectorModel
import ZoneCompiler

/// Zones and queries for tools/bench/dns, and the time of the name server's own code.
///
///     dns-bench generate DIR [LINES [REGIONS PORTSETS]]                writes a zone
///     dns-bench flat DIR FILE                                          the same names as a master file
///     dns-bench queries FILE COUNT MISSING% REGIONS PORTSETS [text]    queries for dns-load, or as text for dnsperf
///     dns-bench answer DIR                                             time and allocations of the answer path
@main
enum DNSBench {
    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        let numbers = arguments.map { Int($0) }
        do {
            switch (arguments.first, arguments.count) {
            case ("generate", 2...5):
                var zone = BenchZone()
                if arguments.count > 2 { zone.lines = numbers[2] ?? 0 }
                if arguments.count > 4 { (zone.regions, zone.portsets) = (numbers[3] ?? 1, numbers[4] ?? 1) }
                try zone.write(to: arguments[1])
            case ("flat", 3): try BenchZone.writeFlat(arguments[1], to: arguments[2])
            case ("queries", 6...7):
                var zone = BenchZone()
                (zone.regions, zone.portsets) = (numbers[4] ?? 1, numbers[5] ?? 1)
                let list = QueryList(zone, count: numbers[2] ?? 1, types: [1], missingPercent: numbers[3] ?? 0)
                if arguments.count == 7 {
                    try list.writeText(to: arguments[1])
                } else {
                    try list.write(to: arguments[1])
                }
            case ("answer", 2): try answer(arguments[1])
            default:
                FileHandle.standardError.write(Data("usage: dns-bench generate|flat|queries|answer …\n".utf8))
                exit(2)
            }
        } catch let failure as ExitFailure {
            FileHandle.standardError.write(Data((failure.text + "\n").utf8))
            exit(1)
        }
    }

    private static func answer(_ directory: String) throws {
        let clock = ContinuousClock()
        var contents: [ZoneContent] = []
        let compiling = try clock.measure { contents = try ZoneDirectory.compile(directory).contents }
        guard let content = contents.first else { throw ExitFailure(text: "the zone has errors") }
        var image: ZoneImage?
        let building = try clock.measure { image = try ZoneImage(content, serial: 1) }
        guard let image else { return }
        print("compile_ms \(milliseconds(compiling))")
        print("image_ms \(milliseconds(building))")
        print("image_MiB \(image.byteCount >> 20)")
        print("rule_index_nodes \(image.ruleIndexNodeCount)")
        let engine = AnswerEngine(zones: [image], identity: .init(server: "bench", version: "bench"), servedSince: 0)
        for (kind, types) in [("a", [UInt16(1)]), ("srv", [33]), ("mixed", [1, 33, 16, 28])] {
            measure(engine, kind: kind, types: types)
        }
        measure(engine, kind: "limited", types: [1, 33, 16, 28], limiter: .init(answersPerSecond: 1_000_000))
        measure(engine, kind: "cookie", types: [1, 33, 16, 28], hasCookies: true)
    }

    /// Takes the best of many rounds in this thread's CPU time, because other work on the machine only adds to it.
    private static func measure(
        _ engine: AnswerEngine, kind: String, types: [UInt16], limiter: ResponseLimiter.Configuration? = nil,
        hasCookies: Bool = false
    ) {
        let source = IPAddress(v4: 0xc000_0201)
        let cookies = ServerCookies.Secret(Array(repeating: 7, count: 16)).flatMap { ServerCookies([$0]) }
        let option = hasCookies ? cookieOption(engine, cookies, source) : []
        let queries = QueryList(BenchZone(), count: 16_384, types: types, option: option)
        var responder = Responder(engine, limiter: limiter, seed: 1)
        responder.cookies = cookies
        let reply = UnsafeMutableRawBufferPointer.allocate(byteCount: 1_232, alignment: 16)
        defer { reply.deallocate() }
        var best = Double.infinity
        var bytes = 0
        let before = allocations_of_this_thread()
        for _ in 0..<rounds {
            let start = threadTime()
            for index in 0..<queries.count {
                bytes &+= responder.answer(
                    queries[index], from: source, over: .udp, isPrivileged: false, into: reply)
            }
            // With a limit above the load, every reply checks the limit and none reaches it.
            responder.instant = responder.instant + .seconds(1)
            best = min(best, Double(threadTime() - start) / Double(queries.count))
        }
        let allocations = allocations_of_this_thread() - before
        let answered = responder.count(of: .answered)
        print("\(kind)_ns_per_query \(String(format: "%.1f", best))")
        print("\(kind)_allocations \(allocations)")
        print("\(kind)_answered_percent \(100 * answered / responder.count(of: .received))")
        print("\(kind)_reply_bytes_mean \(bytes / rounds / queries.count)")
    }

    /// Returns the server's cookie for a client, as an EDNS option of later queries.
    private static func cookieOption(
        _ engine: AnswerEngine, _ cookies: ServerCookies?, _ source: IPAddress
    ) -> [UInt8] {
        let client: [UInt8] = [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]
        let query: [UInt8] =
            [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, UInt8(client.count)] + client
        var responder = Responder(engine)
        responder.cookies = cookies
        let reply = UnsafeMutableRawBufferPointer.allocate(byteCount: 1_232, alignment: 16)
        defer { reply.deallocate() }
        let length = query.withUnsafeBytes {
            responder.answer($0, from: source, over: .udp, isPrivileged: false, into: reply)
        }
        return length < 28 ? [] : Array(reply[(length - 28)..<length])
    }

    private static let rounds = 40

    /// CPU time of this thread in nanoseconds.
    private static func threadTime() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    private static func milliseconds(_ duration: Duration) -> String {
        String(
            format: "%.1f", Double(duration.components.attoseconds) / 1e15 + Double(duration.components.seconds) * 1e3)
    }
}

/// An error that ends the program with a message.
struct ExitFailure: Error { var text: String }
