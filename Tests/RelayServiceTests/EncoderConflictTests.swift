import ReflectorModel
import Testing

@testable import RelayService

@Suite("Two encoders that want one stream")
struct EncoderConflictTests {
    private let near = EncoderOrigin(input: .http, source: IPAddress("192.0.2.1"))
    private let far = EncoderOrigin(input: .http, source: IPAddress("192.0.2.2"))

    private func verdict(
        current: EncoderOrigin, silent: Int64, pause: Int64 = 40, sinceTakeover: TimeSpan? = nil,
        newcomer: EncoderOrigin, _ second: StreamPolicy.SecondEncoder = .refuse
    ) -> EncoderConflict.Verdict {
        EncoderConflict(
            current: .init(
                origin: current, silence: .milliseconds(silent), longestPause: .milliseconds(pause),
                sinceTakeover: sinceTakeover),
            newcomer: newcomer, secondEncoder: second, yieldAfter: .seconds(3)
        ).verdict
    }

    @Test("With `refuse`, an encoder that sends keeps its stream; one silent for three seconds yields to anybody")
    func refuse() {
        #expect(verdict(current: near, silent: 0, newcomer: far) == .busy)
        #expect(verdict(current: near, silent: 2_999, newcomer: far) == .busy)
        #expect(verdict(current: near, silent: 3_000, newcomer: far) == .yields)
        #expect(verdict(current: near, silent: 3_000, newcomer: EncoderOrigin(input: .pull)) == .yields)
    }

    @Test("A half-open connection yields to its encoder's next one after half a second")
    func reconnection() {
        #expect(verdict(current: near, silent: 499, newcomer: near) == .busy)
        #expect(verdict(current: near, silent: 500, newcomer: near) == .reconnected)
        #expect(verdict(current: near, silent: 500, newcomer: far) == .busy)
        let raw = EncoderOrigin(input: .tcp, source: near.source)
        #expect(verdict(current: raw, silent: 500, newcomer: near) == .reconnected)
        // Datagrams have no connection, and a pull has no source.
        let datagrams = EncoderOrigin(input: .udp, source: near.source)
        #expect(verdict(current: datagrams, silent: 500, newcomer: near) == .busy)
        #expect(verdict(current: near, silent: 500, newcomer: datagrams) == .busy)
        #expect(verdict(current: .init(input: .pull), silent: 500, newcomer: .init(input: .pull)) == .busy)
    }

    @Test("An encoder that pauses regularly keeps its stream during a pause of its usual length")
    func pauses() {
        #expect(verdict(current: near, silent: 1_100, pause: 1_000, newcomer: near) == .busy)
        #expect(verdict(current: near, silent: 2_000, pause: 1_000, newcomer: near) == .reconnected)
    }

    @Test("With `takeover`, a new connection replaces the encoder at once, but then not again for five seconds")
    func takeover() {
        #expect(verdict(current: near, silent: 0, newcomer: far, .takeover) == .takenOver)
        #expect(verdict(current: near, silent: 0, newcomer: near, .takeover) == .takenOver)
        #expect(
            verdict(current: near, silent: 0, sinceTakeover: .milliseconds(4_999), newcomer: far, .takeover) == .busy)
        #expect(
            verdict(current: near, silent: 0, sinceTakeover: .seconds(5), newcomer: far, .takeover) == .takenOver)
        // The newest encoder's own connection may break, too.
        #expect(
            verdict(current: near, silent: 500, sinceTakeover: .seconds(1), newcomer: near, .takeover) == .reconnected)
    }

    @Test("Datagrams and pulls take nothing over, but a connection takes over from them")
    func inputs() {
        for input in [EncoderOrigin.Input.udp, .pull] {
            let other = EncoderOrigin(input: input, source: input == .udp ? far.source : nil)
            #expect(verdict(current: near, silent: 0, newcomer: other, .takeover) == .busy)
            #expect(verdict(current: other, silent: 0, newcomer: near, .takeover) == .takenOver)
        }
    }

    @Test("Two encoders behind one address that both send never replace each other, with or without regular pauses")
    func sharedAddress() {
        for period in [Int64(40), 400, 700, 1_400] {
            // Once the first has shown its pauses, the second one's attempt fails at every moment of a pause.
            for silent in stride(from: Int64(0), through: period, by: 20) {
                #expect(verdict(current: near, silent: silent, pause: period, newcomer: near) == .busy)
            }
        }
    }
}
