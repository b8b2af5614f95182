import DNSAnswers
import LDNSKit
import ReflectorModel
import Testing

@testable import ZoneCompiler

@Suite("Options of stream lines")
struct StreamOptionsTests {
    private func rules(_ lines: String) -> [ZoneContent.StreamRule] { ExampleZone.content(streams: lines).streams }

    /// `LINE:COLUMN: message` of every problem.
    private func problems(_ lines: String) -> [String] {
        ExampleZone.compile(streams: lines).problems.map {
            ($0.severity == .warning ? "warning " : "") + "\($0.line):\($0.column): \($0.message)"
        }
    }

    private let hosts = "entrypoints=ep-bos,ep-nyc"

    @Test("Every option and word is read")
    func options() throws {
        let rules = rules(
            """
            stream a s1 \(hosts) push
            stream b s1 \(hosts) push standby=hot takeover
            stream c s1 \(hosts) redirect push standby=cold refuse
            stream d s1 \(hosts) pull=http://e/d.ts pullers=many standby=warm
            stream e s1 \(hosts) pull=http://e/e.ts pullers=1

            """)
        let policies = rules.map(\.policy.text)
        #expect(
            policies == [
                ["ingest=push"], ["ingest=push", "standby=hot", "second=takeover"],
                ["ingest=push", "standby=cold", "redirect=yes"], ["ingest=pull", "standby=warm", "pullers=many"],
                ["ingest=pull"],
            ])
        #expect(rules.map(\.policy.standby) == [.warm, .hot, .cold, .warm, .cold])
        #expect(
            rules.map(\.options) == [
                "push", "push standby=hot takeover", "push standby=cold redirect",
                "pull=http://e/d.ts standby=warm pullers=many", "pull=http://e/e.ts",
            ])
    }

    @Test("All problems of a line are reported at once, with their columns and remedies")
    func allProblems() {
        let found = problems("stream a s1 \(hosts) pull=http://e/ standby=tepid pullers=2 takeover refuse redirect x\n")
        #expect(
            found == [
                "1:62: 'tepid' is not a value of standby=; write standby=cold, standby=warm or standby=hot",
                "1:76: '2' is not a value of pullers=; write pullers=1 (one entrypoint at a time fetches the stream) or "
                    + "pullers=many",
                "1:78: 'takeover' goes with push only: nobody connects for a pull; remove it",
                "1:87: 'refuse' goes with push only: nobody connects for a pull; remove it",
                "1:87: takeover and refuse on one line; keep one: what happens to a second encoder",
                "1:94: 'redirect' goes with push only: nobody connects for a pull; remove it",
                "1:103: 'x' is not known here; write push or pull=URL, and takeover, refuse or redirect",
            ])
    }

    @Test(
        "Options that contradict each other are errors; those without effect are warnings",
        arguments: [
            ("entrypoints=ep-bos push standby=hot", "warning 1:45: standby=hot has no effect with one entrypoint"),
            ("entrypoints=ep-bos push redirect", "warning 1:37: redirect has no effect with one entrypoint"),
            (
                "entrypoints=ep-bos,ep-nyc pull=http://e/ standby=hot",
                "1:62: standby=hot needs several entrypoints that fetch the stream at a time; add pullers=many"
            ),
            (
                "entrypoints=ep-bos,ep-nyc pull=http://e/ standby=warm pullers=1",
                "1:62: standby=warm needs several entrypoints that fetch the stream at a time; add pullers=many"
            ),
            (
                "entrypoints=ep-bos,ep-nyc push redirect standby=hot",
                "1:44: redirect would send the second feed of standby=hot to the leader"
            ),
            (
                "entrypoints=ep-bos,ep-nyc push redirect standby=warm",
                "warning 1:44: redirect sends every encoder to the leader, so a standby has no data"
            ),
            ("entrypoints=ep-bos,ep-nyc push pullers=many", "1:52: pullers= goes with pull=URL only; remove it"),
            ("entrypoints=ep-bos,ep-nyc push push", "1:44: 'push' twice; keep one"),
            ("entrypoints=ep-bos,ep-nyc takeover", "1:47: stream has neither push nor pull; add push or pull=URL"),
        ])
    func crossChecks(_ line: String, _ problem: String) {
        let found = problems("stream a s1 \(line)\n")
        #expect(found.count == 1 && found[0].hasPrefix(problem), "\(found)")
    }

    @Test("A cold push, a redirect, and a cold pull by many need no warning")
    func quiet() {
        let lines = ["push standby=cold", "push redirect", "push standby=cold redirect", "pull=http://e/ pullers=many"]
        for line in lines { #expect(problems("stream a s1 \(hosts) \(line)\n").isEmpty, "\(line)") }
    }

    @Test("No segment of a stream's name may be 'ingest'")
    func reservedSegment() {
        for (name, column) in [("live/ingest", 13), ("ingest", 8), ("ingest/*", 8), ("a/ingest/b", 10)] {
            let found = problems("stream \(name) s1 \(hosts) push\n")
            #expect(found.count == 1 && found[0].hasPrefix("1:\(column): 'ingest' can't be a segment"), "\(found)")
        }
        #expect(problems("stream live/ingest-2 s1 \(hosts) push\n").isEmpty)
    }

    @Test("The ingest port is an option of the default line")
    func ingestPort() {
        #expect(ExampleZone.content().defaults.ingestPort == 8_000)
        let portsets = ExampleZone.portsets.replacing("ttl=20", with: "ttl=20 ingest=9000")
        #expect(ExampleZone.content(portsets: portsets).defaults.ingestPort == 9_000)
        let wrong = ExampleZone.compile(portsets: portsets.replacing("ingest=9000", with: "ingest=0")).problems
        #expect(wrong.map(\.message) == ["'0' is not a valid port; write a number from 1 to 65535"])
        let diff = ZoneDiff(from: [ExampleZone.content()], to: [ExampleZone.content(portsets: portsets)])
        #expect(diff.changes.map(\.text) == ["ingest: 8000 → 9000"])
    }

    @Test("diff shows a changed policy in the words of the file")
    func diff() {
        let hot = ExampleZone.streams.replacing("entrypoints=ep-bos,ep-nyc  push", with: "\(hosts) push standby=hot")
        let diff = ZoneDiff(from: [ExampleZone.content()], to: [ExampleZone.content(streams: hot)])
        #expect(
            diff.changes.map(\.text) == [
                "live/news: s4096 \(hosts) push → s4096 \(hosts) push standby=hot"
            ])
    }
}
