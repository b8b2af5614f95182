import DNSAnswers
import Foundation
import LDNSKit
import Logging
import ReflectorModel
import TestSupport
import Testing
import TransactionSigning

@testable import DNSService
@testable import ZoneCompiler

private let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

@Suite("Parts of transfers")
struct TransferPartsTests {
    private func content(_ address: Int = 1) throws -> ZoneContent {
        let compiled = ZoneCompiler.compile(files: [
            ("example.net.zone", Array(ServedDirectory.zone.replacing("127.0.2.1", with: "127.0.2.\(address)").utf8)),
            ("example.net.portsets", Array(ServedDirectory.portsets.utf8)),
            (
                "example.net.streams",
                Array("stream live/* hash(0-9) entrypoints=ns1 pull=http://e.example/ pullers=1\n".utf8)
            ),
        ])
        #expect(!compiled.hasErrors, "\(compiled.errors)")
        return try #require(compiled.contents.first)
    }

    private func withDirectory(_ body: (String) throws -> Void) throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try body(folder.path + "/archive")
    }

    @Test("A generation is restored unchanged, also after a restart; sixteen are kept, even across serial wraparound")
    func archive() throws {
        try withDirectory { path in
            let archive = GenerationArchive(directory: path, logger: silent)
            let first = UInt32.max - 8
            for step in 0..<20 { archive.keep(try content(step), serial: first &+ UInt32(step)) }
            let wanted = (4..<20).map { first &+ UInt32($0) }
            #expect(archive.serials(of: "example.net") == wanted)
            let later = GenerationArchive(directory: path, logger: silent)
            #expect(later.serials(of: "example.net") == wanted)
            #expect(later.zones == ["example.net"])
            #expect(later.content(of: "example.net", serial: first &+ 5) == (try content(5)))
            #expect(later.latest(of: "example.net")?.serial == first &+ 19)
            #expect(later.content(of: "example.net", serial: first) == nil)
            #expect(try FileManager.default.contentsOfDirectory(atPath: path).count == 16)
            later.retain(zones: ["other.example"])
            #expect(later.zones == [])
            #expect(try FileManager.default.contentsOfDirectory(atPath: path).isEmpty)
        }
        let memory = GenerationArchive(directory: nil, logger: silent)
        for step in 0..<20 { memory.keep(try content(step), serial: UInt32(step)) }
        #expect(memory.serials(of: "example.net") == Array(4..<20))
        #expect(memory.content(of: "example.net", serial: 7) == (try content(7)))
    }

    @Test("Damaged files are ignored, and an older generation is used instead")
    func damaged() throws {
        try withDirectory { path in
            let archive = GenerationArchive(directory: path, logger: silent)
            for step in 1...4 { archive.keep(try content(step), serial: UInt32(step)) }
            let newest = path + "/example.net.4.generation"
            var bytes = try Data(contentsOf: URL(fileURLWithPath: newest))
            bytes[bytes.count / 2] ^= 1
            try bytes.write(to: URL(fileURLWithPath: newest))
            try Data().write(to: URL(fileURLWithPath: path + "/example.net.3.generation"))
            try Data("rubbish\n{}".utf8).write(to: URL(fileURLWithPath: path + "/example.net.99.generation"))
            try Data().write(to: URL(fileURLWithPath: path + "/nonsense.generation"))
            let later = GenerationArchive(directory: path, logger: silent)
            #expect(later.latest(of: "example.net")?.serial == 2)
            #expect(later.serials(of: "example.net") == [1, 2])
        }
    }

    @Test("NOTIFY goes out at once, then at growing intervals, until it is answered or given up")
    func schedule() {
        var schedule = NotifySchedule()
        var now = MonotonicInstant(nanoseconds: 1)
        schedule.announce(target: 0, zone: "a", serial: 1, id: 7, at: now)
        schedule.announce(target: 1, zone: "a", serial: 1, id: 8, at: now)
        #expect(schedule.due(at: now).map(\.id) == [7, 8])
        #expect(schedule.due(at: now).isEmpty)
        #expect(schedule.message(target: 0, id: 8) == nil, "the id of the other target's message")
        let message = schedule.message(target: 0, id: 7)
        if let message { schedule.answered(message) }
        var intervals: [Int64] = []
        while let next = schedule.nextDue {
            intervals.append((next - now).milliseconds)
            now = next
            #expect(schedule.due(at: now).count <= 1)
        }
        #expect(intervals == [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000])
        #expect(schedule.givenUp.map(\.target) == [1])
    }

    @Test("A newer serial replaces a pending one")
    func coalesced() {
        var schedule = NotifySchedule()
        let now = MonotonicInstant(nanoseconds: 1)
        for serial in 1...50 {
            schedule.announce(target: 0, zone: "a", serial: UInt32(serial), id: UInt16(serial), at: now)
        }
        #expect(schedule.due(at: now).map(\.serial) == [50])
        #expect(schedule.message(target: 0, id: 49) == nil)
    }

    @Test("Transfer rules and NOTIFY targets are read as operators write them")
    func options() throws {
        #expect(TransferPolicy.Rule("192.0.2.0/24,key=k")?.description == "192.0.2.0/24,key=k")
        #expect(TransferPolicy.Rule("::1")?.description == "::1/128")
        #expect(NotifyTarget("192.0.2.1")?.endpoint == Endpoint("192.0.2.1:53"))
        #expect(NotifyTarget("[2001:db8::1]:5353,key=k")?.description == "[2001:db8::1]:5353,key=k")
        #expect(NotifyTarget("2001:db8::1")?.endpoint.port == 53)
        for text in ["", "x", "192.0.2.1,", "192.0.2.1,key=", "192.0.2.1,k", "192.0.2.1:0"] {
            #expect(NotifyTarget(text) == nil, "\(text)")
            #expect(TransferPolicy.Rule(text) == nil, "\(text)")
        }
    }

    @Test("Messages contain the appended records, compressed, and never exceed the maximum size")
    func messages() throws {
        let zone = try AliasedZone(content(), serial: 5)
        let query = try LDNSMessage.query(id: 1, name: "example.net", type: 252, udpSize: 0)
        let request = try #require(TransferRequest(query))
        var message = TransferMessage(id: 1, request: request)
        var put: [ZoneRecord] = []
        var cursor = zone.records
        while let record = cursor.next(), message.append(record, reserved: 90) { put.append(record) }
        let parsed = try LDNSMessage.parse(message.bytes)
        #expect(parsed.answers.map(\.ownerWire) == put.map(\.owner))
        #expect(parsed.answers.map(\.data) == put.map(\.data))
        #expect(parsed.answers.map(\.ttl) == put.map(\.ttl))
        #expect(message.bytes.count <= 16_384 - 90 && message.bytes.count > 16_000)
        let plain = put.reduce(0) { $0 + $1.owner.count + 10 + $1.data.count }
        #expect(Double(message.bytes.count) < 0.85 * Double(plain))
        // A record that does not fit into 16,384 bytes gets a message of its own.
        var large = put[0]
        large.type = 16
        large.data = (0..<200).flatMap { _ in [255] + [UInt8](repeating: 65, count: 255) }
        var own = TransferMessage(id: 1, request: request)
        let fits = [own.append(large, reserved: 90), own.append(put[0], reserved: 90)]
        #expect(fits == [true, false])
        #expect(try LDNSMessage.parse(own.bytes).answers.first?.data == large.data)
    }

    @Test("A record of the maximum length fits into one message beside the longest names and a signature")
    func largestRecord() throws {
        let zone = try AliasedZone(content(), serial: 5)
        let query = try LDNSMessage.query(id: 1, name: "example.net", type: 252, udpSize: 0)
        let request = try #require(TransferRequest(query))
        let (question, owner, opt, signature) = (255 + 4, 255, 11, 255 + 10 + 255 + 16 + 64 + 6)
        var record = zone.startOfAuthority
        record.type = 16
        record.owner =
            (0..<3).flatMap { _ in [63] + [UInt8](repeating: 97, count: 63) } + [62]
            + [UInt8](repeating: 97, count: 62) + [0]
        record.data = [UInt8](repeating: 65, count: RecordWire.lengthMax)
        var message = TransferMessage(id: 1, request: request)
        let reserved = question - request.question.count + owner - record.owner.count + opt + signature
        let fits = message.append(record, reserved: reserved)
        #expect(fits)
    }

    @Test("A record too large for any message is not appended, even to an empty one")
    func tooLarge() throws {
        let zone = try AliasedZone(content(), serial: 5)
        let query = try LDNSMessage.query(id: 1, name: "example.net", type: 252, udpSize: 0)
        let request = try #require(TransferRequest(query))
        var record = zone.startOfAuthority
        record.data = [UInt8](repeating: 65, count: 65_535)
        var message = TransferMessage(id: 1, request: request)
        let fits = message.append(record, reserved: 0)
        #expect(!fits && message.records == 0)
    }

    @Test("An answer to a signed NOTIFY counts only if the session of its own message verifies it")
    func notifySessions() throws {
        let key = try #require(
            TSIGKey(name: "secondary.example", algorithm: .hmacSHA256, secret: Array(repeating: 7, count: 32)))
        var sessions = NotifySessions()
        var answers: [[UInt8]] = []
        let messages = ["a.example", "b.example"].map {
            NotifySchedule.Message(target: 0, zone: $0, serial: 1, id: UInt16($0.utf8.first ?? 0))
        }
        for message in messages {
            var session = TSIGSession(key)
            var request: [UInt8] = [0, UInt8(message.id), 0x24, 0, 0, 0, 0, 0, 0, 0, 0, 0]
            let isSigned = session.sign(&request, now: 1_000)
            #expect(isSigned)
            sessions.keep(session, for: message)
            guard case .signed(var server, _) = TSIGRequest.verify(request, keys: TSIGKeyring([key]), now: 1_000) else {
                Issue.record("the request is not authentic")
                return
            }
            var answer: [UInt8] = [0, UInt8(message.id), 0xa4, 0, 0, 0, 0, 0, 0, 0, 0, 0]
            let isAnswerSigned = server.sign(&answer, now: 1_000)
            #expect(isAnswerSigned)
            answers.append(answer)
        }
        for (message, answer) in zip(messages, answers) {
            let unsigned = sessions.accept(Array(answer[..<12]), as: message, now: 1_000)
            #expect(!unsigned)
        }
        let other = sessions.accept(answers[1], as: messages[0], now: 1_000)
        #expect(!other && sessions.count == 2)
        for (message, answer) in zip(messages, answers) {
            let accepted = sessions.accept(answer, as: message, now: 1_000)
            #expect(accepted)
        }
        #expect(sessions.count == 0)
    }

    @Test("A truncated request, or an IXFR without a serial, is invalid")
    func requests() throws {
        let query = try LDNSMessage.query(id: 1, name: "EXAMPLE.net", type: 252)
        let request = try #require(TransferRequest(query))
        #expect(request.name == WireName.joined("example.net", below: [0]))
        #expect(request.isTransfer && request.udpSize == 1_232)
        for end in 0..<query.count { #expect(TransferRequest(Array(query[..<end])) == nil) }
        let incremental = try LDNSMessage.query(id: 1, name: "example.net", type: 251)
        #expect(TransferRequest(incremental) == nil, "without the client's SOA")
    }
}
