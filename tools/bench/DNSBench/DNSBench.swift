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
    }

    /// The best of many rounds in this thread's own time, since a shared machine only ever adds to it.
    private static func measure(_ engine: AnswerEngine, kind: String, types: [UInt16]) {
        let queries = QueryList(BenchZone(), count: 16_384, types: types)
        var responder = Responder(engine)
        let reply = UnsafeMutableRawBufferPointer.allocate(byteCount: 1_232, alignment: 16)
        defer { reply.deallocate() }
        var best = Double.infinity
        var bytes = 0
        let before = allocations_of_this_thread()
        for _ in 0..<rounds {
            let start = threadTime()
            for index in 0..<queries.count {
                bytes &+= responder.answer(queries[index], over: .udp, isPrivileged: false, into: reply)
            }
            best = min(best, Double(threadTime() - start) / Double(queries.count))
        }
        let allocations = allocations_of_this_thread() - before
        let answered = responder.count(of: .answered)
        print("\(kind)_ns_per_query \(String(format: "%.1f", best))")
        print("\(kind)_allocations \(allocations)")
        print("\(kind)_answered_percent \(100 * answered / responder.count(of: .received))")
        print("\(kind)_reply_bytes_mean \(bytes / rounds / queries.count)")
    }

    private static let rounds = 40

    /// Nanoseconds that this thread has run.
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

/// What ends the program with a message.
struct ExitFailure: Error { var text: String }
