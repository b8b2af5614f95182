import CAllocations
import DNSAnswers
import Foundation
import ReflectorModel
import ZoneCompiler

/// The name server's own code under the load of design §11: 3,000 regions × 65,536 portsets × 3 leaders under 1,000 map
/// lines of random overlapping rectangles.
///
///     dns-bench generate DIR [LINES]    writes the zone
///     dns-bench answer DIR              time and allocations of the answer path, as `key value` lines
@main
enum DNSBench {
    static func main() throws {
        let arguments = CommandLine.arguments
        switch (arguments.dropFirst().first, arguments.count) {
        case ("generate", 3...4):
            try BenchZone.write(to: arguments[2], lines: arguments.count == 4 ? Int(arguments[3]) ?? 0 : 1_000)
        case ("answer", 3): try answer(arguments[2])
        default:
            FileHandle.standardError.write(Data("usage: dns-bench generate DIR [LINES] | answer DIR\n".utf8))
            exit(2)
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
        print("rule_index_nodes \(image.ruleIndexNodeCount)")
        let engine = AnswerEngine(zones: [image], identity: .init(server: "bench", version: "bench"), servedSince: 0)
        for (kind, types) in [("a", [UInt16(1)]), ("srv", [33]), ("mixed", [1, 33, 16, 28])] {
            measure(engine, kind: kind, types: types)
        }
    }

    /// The best of many rounds in this thread's own time, since a shared machine only ever adds to it.
    private static func measure(_ engine: AnswerEngine, kind: String, types: [UInt16]) {
        let queries = QueryList(count: 16_384, types: types)
        var responder = Responder(engine)
        let reply = UnsafeMutableRawBufferPointer.allocate(byteCount: 1_232, alignment: 16)
        defer { reply.deallocate() }
        var best = Double.infinity
        var bytes = 0
        let before = allocations_of_this_thread()
        for _ in 0..<rounds {
            let start = threadTime()
            for index in 0..<queries.count {
                bytes &+= responder.answer(
                    queries[index], from: IPAddress(v4: 0x7f00_0001), over: .udp, isPrivileged: false, into: reply)
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

struct ExitFailure: Error { var text: String }
