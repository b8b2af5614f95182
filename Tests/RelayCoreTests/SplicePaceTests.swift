import ReflectorModel
import RelayWire
import Testing

@testable import RelayCore

@Suite("The pace of a backlog")
struct SplicePaceTests {
    @Test("Another source's past comes at twice the pace that the child asks for, within the node's limit")
    func splice() throws {
        for (asked, most, normal, hastened) in [(32, 64, 32, 64), (48, 64, 48, 64), (8, 64, 8, 16), (0, 64, 0, 0)] {
            #expect(ChildSubscription.pace(UInt8(asked), isSplicing: false, most: UInt8(most)) == normal)
            #expect(ChildSubscription.pace(UInt8(asked), isSplicing: true, most: UInt8(most)) == hastened)
        }
    }
}
