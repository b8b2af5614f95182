import LDNSKit
import ReflectorModel
import Testing

@Suite("DNS messages through libldns")
struct LDNSMessageTests {
    @Test("A query keeps its id, the case of its name and its EDNS options, has RD clear, and can be parsed again")
    func queryRoundTrip() throws {
        let bytes = try LDNSMessage.query(
            id: 0xbeef, name: "N1.r1283.S4096.rEflector.net", type: LDNSType.a,
            options: [EDNSOption(code: EDNSOption.cookie, data: [1, 2, 3, 4, 5, 6, 7, 8])])
        let message = try LDNSMessage.parse(bytes)
        #expect(message.id == 0xbeef)
        #expect(!message.isResponse && !message.recursionDesired)
        #expect(message.questions == [DNSQuestion(name: "N1.r1283.S4096.rEflector.net", type: 1)])
        #expect(message.edns?.udpSize == 1_232)
        #expect(message.edns?.options == [EDNSOption(code: 10, data: [1, 2, 3, 4, 5, 6, 7, 8])])
        #expect(try LDNSMessage.parse(LDNSMessage.query(id: 1, name: "a", type: 1, udpSize: 0)).edns == nil)
        #expect(throws: LDNSError.self) { try LDNSMessage.query(id: 1, name: "a..b", type: 1) }
    }

    /// A response to `x.y` SRV with two compressed answers.
    private static let response: [UInt8] =
        [0, 1, 0x84, 0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0x58, 1, 0x79, 0, 0, 33, 0, 1]
        + [0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 20, 0, 9, 0, 0, 0, 100, 0x13, 0x24, 0xc0, 14, 0][..<20]
        + [0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 20, 0, 5, 4, 0x73, 0x3d, 0x61, 0x22]

    @Test("Answers are parsed into lower-case owners, uncompressed data and typed fields")
    func parsesAnswers() throws {
        var bytes = Self.response
        // RDATA of the SRV is six bytes and a pointer.
        bytes[32] = 8
        let message = try LDNSMessage.parse(bytes)
        #expect(message.isResponse && message.isAuthoritative && message.rcode == 0)
        #expect(message.questions.first?.name == "X.y")
        #expect(message.answers.map(\.owner) == ["x.y", "x.y"])
        let service = try #require(message.answers.first?.service)
        #expect(service.weight == 100 && service.port == 4900 && service.target == "y")
        #expect(message.answers.first?.data == [0, 0, 0, 100, 0x13, 0x24, 1, 0x79, 0])
        #expect(message.answers.last?.strings == ["s=a\""])
    }

    @Test("50,000 random and mutated messages never trap")
    func hostileMessages() throws {
        var random = SeededGenerator(state: 3)
        var good = Self.response
        good[32] = 8
        var parsed = 0
        for _ in 0..<50_000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.insert(UInt8.random(in: 0...255, using: &random), at: at)
                default: bytes.remove(at: at)
                }
            }
            guard let message = try? LDNSMessage.parse(bytes) else { continue }
            parsed += 1
            for record in message.answers { _ = (record.service, record.strings, record.addressBytes) }
        }
        #expect(parsed > 100)
        #expect(throws: LDNSError.self) { try LDNSMessage.parse([]) }
        #expect(throws: LDNSError.self) { try LDNSMessage.parse(Array(repeating: 0xc0, count: 512)) }
    }
}
