import Testing

@testable import RelayCore

@Suite("Names of counters")
struct CounterNameTests {
    @Test("words are separated by underscores, and an abbreviation is one word")
    func names() {
        #expect(RelayCounter.rejectedBadMAC.name == "rejected_bad_mac")
        #expect(RelayCounter.rejectedBadSeal.name == "rejected_bad_seal")
        #expect(RelayCounter.dataSent.name == "data_sent")
    }
}
