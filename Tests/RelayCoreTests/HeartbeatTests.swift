import ReflectorModel
import RelayWire
import Testing

@testable import RelayCore

@Suite("Heartbeats of entrypoints")
struct HeartbeatTests {
    private static let interval = TimeSpan.milliseconds(250)

    private func link() -> ParentLink {
        let endpoint = Bench.endpoint(1)
        return ParentLink(
            slot: 0, endpoint: endpoint, remote: endpoint, others: [], peerName: "set-0", isForAnnouncing: true,
            opening: opening(to: "set-0"), childToken: 1, now: instant(0))
    }

    @Test("A heartbeat that is answered is followed by the next one after the interval")
    func answered() {
        let link = link()
        #expect(link.takeHeartbeat(interval: Self.interval, at: instant(1_000)))
        link.noteHeartbeatReply()
        #expect(link.heartbeatDue(interval: Self.interval) == instant(1_250))
        #expect(!link.takeHeartbeat(interval: Self.interval, at: instant(1_249)))
        #expect(link.takeHeartbeat(interval: Self.interval, at: instant(1_250)))
    }

    @Test("An unanswered heartbeat is repeated soon, so that a burst of losses does not look like a death")
    func unanswered() {
        let link = link()
        link.roundTrip.sample(.milliseconds(10))
        var sent = 0
        for milliseconds in Int64(1_000)..<1_750
        where link.takeHeartbeat(interval: Self.interval, at: instant(milliseconds)) {
            sent += 1
        }
        #expect(sent == 15)
        link.noteHeartbeatReply()
        #expect(link.heartbeatDue(interval: Self.interval) == instant(1_950))
    }

    @Test("On a long path the repetition waits for the answer, but never longer than the interval")
    func longPath() {
        let link = link()
        for _ in 0..<50 { link.roundTrip.sample(.milliseconds(120)) }
        #expect(link.takeHeartbeat(interval: Self.interval, at: instant(1_000)))
        #expect((instant(1_120)...instant(1_140)).contains(link.heartbeatDue(interval: Self.interval)))
        for _ in 0..<50 { link.roundTrip.sample(.milliseconds(600)) }
        #expect(link.heartbeatDue(interval: Self.interval) == instant(1_250))
    }
}
