import ReflectorModel
import Testing

@testable import RelayService

@Suite("Streams that encoders want to push to a standby")
struct ExpectedPushesTests {
    @Test("A full table forgets the stream expected longest, and counts it")
    func full() throws {
        var pushes = ExpectedPushes()
        let streams = try (0..<ExpectedPushes.countMax + 3).map { try #require(StreamName("live/\($0)")) }
        let forgotten = streams.compactMap { pushes.add($0) }
        #expect(forgotten == Array(streams.prefix(3)) && pushes.forgotten == 3)
    }
}
