import DNSAnswers
import Foundation
import LDNSKit
import ReflectorModel
import Testing

@testable import ZoneCompiler

/// Every run uses 20,000 mutated generations; `REFLECTOR_FUZZ_ZONES=1000000` (tools/fuzz) sets another number, and
/// `REFLECTOR_FUZZ_SEED` another seed.
@Suite("Mutated zone files")
struct ZoneFileFuzzTests {
    private static let shards = 4

    private static func environment(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    @Test("No file causes a trap; errors name existing lines; compiled content has valid indices and is usable")
    func mutations() async throws {
        let total = Self.environment("REFLECTOR_FUZZ_ZONES") ?? 20_000
        let seed = Self.environment("REFLECTOR_FUZZ_SEED") ?? 20_240_611
        let start = ContinuousClock.now
        let before = residentKilobytes()
        var accepted = 0
        var failures: [String] = []
        await withTaskGroup(of: ZoneFileFuzz.self) { group in
            for shard in 0..<Self.shards {
                group.addTask {
                    var fuzz = ZoneFileFuzz(seed: seed &+ UInt64(shard) &* 1_000_003)
                    for _ in 0..<total / UInt64(Self.shards) { fuzz.step() }
                    return fuzz
                }
            }
            for await fuzz in group {
                accepted += fuzz.accepted
                failures += fuzz.failures.prefix(3)
            }
        }
        let rate = Double(total) / Double((ContinuousClock.now - start) / .seconds(1))
        let grown = residentKilobytes() - before
        print(
            "fuzz: \(total) generations, seed \(seed), \(accepted) accepted, \(Int(rate)) a second, resident memory "
                + "grew by \(grown) KiB")
        #expect(failures == [], "seed \(seed)")
        #expect(accepted > total / 40 && accepted < total - total / 40)
        // In a short run, other tests of this process affect the measurement.
        if total > 100_000 { #expect(grown < 65_536) }
    }
}

/// One sequence of mutated generations.
private struct ZoneFileFuzz {
    private static let names = ["reflector.net.zone", "reflector.net.portsets", "reflector.net.streams"]
    private static let originals = [ExampleZone.zone + more, ExampleZone.portsets, ExampleZone.streams]
        .map { Array($0.utf8) }
    /// Lines of kinds that the example does not contain.
    private static let more = """
        www CNAME nyc-1
        *.wild 30 IN TXT "a \\" b" c
        sub NS ns.sub
        ns.sub A 127.0.8.8
        $ORIGIN deep.reflector.net.
        a.b MX ( 10
            nyc-1.reflector.net. ) ; over two lines

        """
    /// Words with a meaning in some file.
    private static let words = [
        "none", "r*", "s*", "r1283", "s4096", "s0-s65535", "nyc", "lon", "sjc", "ttl=5", "id=r7", "hosts=nyc-1",
        "capacity=10Gbps", "hash(0-4095)", "entrypoints=ep-bos", "pull=http://a/", "push", "$INCLUDE x", "$TTL 1h",
        "$ORIGIN .", "SOA", "CNAME", "\\000", "\\# 4 7f000001", "4294967296", "99999999999999999999", "-1", "\u{feff}",
    ].map { Array($0.utf8) }
    private static let likely = Array("()\";\\#$*-=,:/.@0129rsnmap \n\t\r\u{0}".utf8)

    private var random: SeededGenerator
    private(set) var accepted = 0
    private(set) var failures: [String] = []
    private var round = 0

    init(seed: UInt64) { random = SeededGenerator(state: seed) }

    mutating func step() {
        round += 1
        var files = Self.originals
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            mutate(&files[Int.random(in: 0..<3, using: &random)])
        }
        let compiled = ZoneCompiler.compile(files: zip(Self.names, files).map { ($0, $1) })
        for problem in compiled.problems where problem.line < 0 || problem.line > 1_000 {
            failures.append("round \(round): line \(problem.line): \(problem)")
        }
        guard let content = compiled.contents.first else {
            if !compiled.hasErrors { failures.append("round \(round): neither content nor errors") }
            return
        }
        accepted += 1
        if !Self.isSound(content) { failures.append("round \(round): unsound") }
        guard accepted % 16 == 0 else { return }
        do {
            try use(content)
        } catch {
            failures.append("round \(round): \(error)")
        }
    }

    /// Serves, exports, compares and explains the content.
    private func use(_ content: ZoneContent) throws {
        let image = try ZoneImage(content, serial: 7)
        var responder = Responder(
            AnswerEngine(zones: [image], identity: .init(server: "f", version: "f"), servedSince: 0))
        let reply = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_535, alignment: 8)
        defer { reply.deallocate() }
        for name in ["n1.r1283.s4096", "www", "x.wild", "a.sub", "sets.s5", "ep-bos.sets", "a.b.live.streams"] {
            for type in [UInt16(1), 33, 16, 255] {
                let query = try LDNSMessage.query(id: 1, name: name + ".reflector.net", type: type)
                let length = query.withUnsafeBytes {
                    responder.answer(
                        $0, from: IPAddress(v4: 1), over: .tcp, isPrivileged: true, into: reply)
                }
                _ = try LDNSMessage.parse(UnsafeRawBufferPointer(rebasing: reply[..<length]))
            }
        }
        guard accepted % 512 == 0 else { return }
        _ = try? ZoneExport.text(content)
        _ = ZoneDiff(from: [ExampleZone.content()], to: [content])
        for name in ["n1.r1283.s4096", "sets.s5", "x.live.streams"] { _ = ZoneExplanation.explain(name, in: [content]) }
        _ = ZoneUse(of: .host("nyc-1"), in: content)
    }

    private mutating func mutate(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        let at = Int.random(in: 0..<bytes.count, using: &random)
        let end = min(bytes.count, at + Int.random(in: 1...30, using: &random))
        switch Int.random(in: 0..<9, using: &random) {
        case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes[at] = Self.likely.randomElement(using: &random) ?? 0
        case 2: bytes.insert(Self.likely.randomElement(using: &random) ?? 0, at: at)
        case 3: bytes.removeSubrange(at..<end)
        case 4: bytes.insert(contentsOf: bytes[at..<end], at: Int.random(in: 0...bytes.count, using: &random))
        case 5: bytes.removeSubrange(at...)
        case 6: replaceWord(&bytes, near: at)
        case 7: moveLine(&bytes, near: at)
        default: bytes.insert(contentsOf: Self.words.randomElement(using: &random) ?? [], at: at)
        }
    }

    private mutating func replaceWord(_ bytes: inout [UInt8], near position: Int) {
        let isSpace = { (byte: UInt8) in byte == 32 || byte == 10 }
        let start = bytes[..<position].lastIndex(where: isSpace).map { $0 + 1 } ?? 0
        let end = bytes[start...].firstIndex(where: isSpace) ?? bytes.count
        bytes.replaceSubrange(start..<end, with: Self.words.randomElement(using: &random) ?? [])
    }

    /// Removes a line, appends it to the end, or does both or neither.
    private mutating func moveLine(_ bytes: inout [UInt8], near position: Int) {
        let start = bytes[..<position].lastIndex(of: 10).map { $0 + 1 } ?? 0
        let end = bytes[start...].firstIndex(of: 10).map { $0 + 1 } ?? bytes.count
        let line = Array(bytes[start..<end])
        if Bool.random(using: &random) { bytes.removeSubrange(start..<end) }
        if Bool.random(using: &random) { bytes += line }
    }

    /// True if every index in a content is valid.
    private static func isSound(_ content: ZoneContent) -> Bool {
        content.setRegions.allSatisfy { $0.members.allSatisfy { content.hosts.indices.contains($0.host) } }
            && content.rules.allSatisfy { rule in
                rule.parents.count <= 3 && rule.parents.allSatisfy { content.setRegions.indices.contains($0) }
            }
            && content.streams.allSatisfy { $0.entrypoints.allSatisfy { content.hosts.indices.contains($0) } }
            && content.edgeRegions.allSatisfy { $0.hosts.allSatisfy { content.hosts.indices.contains($0) } }
    }
}

private func residentKilobytes() -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS") } ?? ""
    return line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0
}
