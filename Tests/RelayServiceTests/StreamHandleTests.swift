import ReflectorModel
import Synchronization
import Testing

@testable import RelayService

@Suite("The node's output finds a stream's receiver once, not for each payload")
struct StreamHandleTests {
    private final class Receiver: StreamReceiver {
        var isOver = false
        private(set) var count = 0
        func deliver(_ payload: UnsafeRawBufferPointer, at now: MonotonicInstant) -> Bool {
            if !isOver { count += 1 }
            return !isOver
        }
    }

    /// Used by one test only, on its thread.
    private final class Output: StreamOutput, @unchecked Sendable {
        private(set) var receivers: [(name: StreamName, receiver: Receiver)] = []
        var isFull = false
        func receiver(of stream: StreamName) -> (any StreamReceiver)? {
            guard !isFull else { return nil }
            receivers.append((stream, Receiver()))
            return receivers.last?.receiver
        }
        func forget() { receivers = [] }
        func discontinuity(stream: StreamName, lost: UInt64) {}
        func ended(stream: StreamName) {}
        func unavailable(stream: StreamName, reason: String, isAbsence: Bool) {}
        func viewers(of stream: StreamName) -> Int { 0 }
    }

    private let output = Output()
    private let news = StreamName("live/news")!
    private let sport = StreamName("live/sport")!

    private func deliver(_ stream: StreamName, slot: Int, to sink: OutputSink) {
        [UInt8](repeating: 7, count: 188).withUnsafeBytes { sink.deliver($0, stream: stream, slot: slot, at: .zero) }
    }

    @Test("A hundred payloads of two streams ask for two receivers")
    func once() {
        let sink = OutputSink(output: output)
        for _ in 0..<50 {
            deliver(news, slot: 3, to: sink)
            deliver(sport, slot: 0, to: sink)
        }
        #expect(output.receivers.map(\.name) == [news, sport])
        #expect(output.receivers.map(\.receiver.count) == [50, 50])
    }

    @Test("When a receiver has ended, the payload goes to a new one")
    func over() {
        let sink = OutputSink(output: output)
        deliver(news, slot: 0, to: sink)
        output.receivers[0].receiver.isOver = true
        deliver(news, slot: 0, to: sink)
        deliver(news, slot: 0, to: sink)
        #expect(output.receivers.map(\.receiver.count) == [1, 2])
    }

    @Test("Another stream in the same slot has its own receiver")
    func reused() {
        let sink = OutputSink(output: output)
        deliver(news, slot: 0, to: sink)
        deliver(sport, slot: 0, to: sink)
        #expect(output.receivers.map(\.name) == [news, sport])
        #expect(output.receivers.map(\.receiver.count) == [1, 1])
    }

    @Test("A receiver that the output frees is not kept alive, and a full output is asked again")
    func freed() {
        let sink = OutputSink(output: output)
        deliver(news, slot: 0, to: sink)
        weak let freed = output.receivers[0].receiver
        output.forget()
        #expect(freed == nil)
        output.isFull = true
        deliver(news, slot: 0, to: sink)
        output.isFull = false
        deliver(news, slot: 0, to: sink)
        #expect(output.receivers.map(\.receiver.count) == [1])
    }
}
