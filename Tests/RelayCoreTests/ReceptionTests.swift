import ReflectorModel
import ReflectorSimulation
import RelayWire
import Testing

@testable import RelayCore

@Suite("Reception of a number")
struct ReceptionTests {
    private let tag = IncarnationTag(5)
    private let log = PacketLog(packetsMax: 256, span: .seconds(6))

    private func incarnation() -> IncarnationState {
        IncarnationState(
            source: NodeID(name: "e1"), incarnation: Incarnation(high: 1, low: 2), tag: tag,
            key: SealKey(index: 0))
    }

    private func hold(_ sequence: UInt64, _ incarnation: IncarnationState) -> Int32 {
        let slot = log.append(
            tag: tag, sequence: SequenceNumber(sequence), arrival: instant(0), isFiller: false,
            UnsafeRawBufferPointer(start: nil, count: 0))
        incarnation.insert(sequence, slot: slot)
        return slot
    }

    @Test("A number is new once; then it is held, with its slot in the log")
    func heldOnce() {
        let incarnation = incarnation()
        #expect(incarnation.reception(of: 10, log, isStranded: false) == .new)
        let slot = hold(10, incarnation)
        #expect(incarnation.reception(of: 10, log, isStranded: false) == .held(slot))
        #expect(incarnation.reception(of: 9, log, isStranded: false) == .new)
        #expect(incarnation.reception(of: 11, log, isStranded: false) == .new)
    }

    @Test("No packet has the number 0, so it is rejected")
    func zero() {
        #expect(incarnation().reception(of: 0, log, isStranded: true) == .rejected(.rejectedTooOld))
    }

    @Test("A number that was delivered or given up is past, even if the log has overwritten it")
    func past() {
        let incarnation = incarnation()
        _ = hold(10, incarnation)
        incarnation.resumeDelivery(at: 11)
        #expect(incarnation.reception(of: 9, log, isStranded: false) == .past)
        for sequence in UInt64(11)..<300 { _ = hold(sequence, incarnation) }
        incarnation.resumeDelivery(at: 300)
        #expect(incarnation.reception(of: 10, log, isStranded: false) == .past)
        #expect(incarnation.reception(of: 300, log, isStranded: false) == .new)
    }

    @Test("A packet that comes after its number was given up counts as late, and as a duplicate")
    func late() {
        var arrivals = Arrivals()
        arrivals.noteDuplicate()
        arrivals.noteLate()
        #expect(arrivals.late == 1)
        #expect(arrivals.duplicates == 2)
    }

    @Test("A number far ahead is rejected while the stream continues, and is a jump if nothing else arrives")
    func farAhead() {
        let incarnation = incarnation()
        _ = hold(10, incarnation)
        let far = 10 + SequenceIndex.windowMax + 1
        #expect(incarnation.reception(of: far, log, isStranded: false) == .rejected(.rejectedTooFar))
        #expect(incarnation.reception(of: far, log, isStranded: true) == .jump)
        #expect(incarnation.reception(of: far - 1, log, isStranded: false) == .new)
        #expect(incarnation.reception(of: .max, log, isStranded: false) == .rejected(.rejectedTooFar))
    }

    @Test("A number far behind is rejected, even if nothing else arrives")
    func farBehind() {
        let incarnation = incarnation()
        _ = hold(SequenceIndex.windowMax + 10, incarnation)
        for isStranded in [false, true] {
            #expect(incarnation.reception(of: 10, log, isStranded: isStranded) == .rejected(.rejectedTooOld))
            #expect(incarnation.reception(of: 11, log, isStranded: isStranded) == .new)
        }
    }

    @Test("A restart forgets held and missing numbers, but keeps those delivered")
    func restart() {
        let incarnation = incarnation()
        _ = hold(10, incarnation)
        _ = incarnation.noteGap(9, max: 8, at: instant(0)) { _ in }
        incarnation.resumeDelivery(at: 9)
        incarnation.restart(at: 500)
        #expect(incarnation.index.isEmpty)
        #expect(incarnation.gaps.isEmpty)
        #expect(incarnation.start == 500)
        #expect(incarnation.nextToDeliver == 9)
        #expect(incarnation.reception(of: 8, log, isStranded: false) == .past)
    }

    @Test("Giving up counts every number that was not delivered; a relay has nothing to count")
    func giveUp() {
        let relay = incarnation()
        _ = hold(10, relay)
        #expect(relay.giveUp(below: 900) == nil)
        #expect(relay.start == 900)
        let edge = incarnation()
        edge.resumeDelivery(at: 20)
        #expect(edge.giveUp(below: 100) == 80)
        #expect(edge.nextToDeliver == 100)
        #expect(edge.soundFrom == 20)
        #expect(edge.giveUp(below: 150) == 50)
        #expect(edge.soundFrom == 20, "numbers before the first jump may still arrive")
    }
}

@Suite("Receiver")
struct ReceiverTests {
    /// One stream on one link, without a node, a network or a tree.
    private struct Setup: ~Copyable {
        var core: NodeCore
        let receiver: Receiver
        let stream: StreamState
        let path: StreamPath

        init(role: NodeRole) {
            let configuration = RelayConfiguration(name: "r1", role: role)
            let crypto = SimulatedCrypto(operatorKey: 1, seed: 1)
            // The key that `openedLink` names.
            _ = crypto.makeSealKey()
            core = NodeCore(
                configuration: configuration, crypto: crypto, handshakes: crypto.handshakes(for: configuration),
                seed: 1,
                makeMeasurements: nil, now: instant(0))
            receiver = Receiver(
                playOut: role == .edge ? PlayOut(sink: nil, deadline: .milliseconds(500)) : nil,
                forwards: role != .edge)
            stream = core.streams.insert(StreamName("news")!, countMax: 8)
            let tag = IncarnationTag(5)
            stream.begin(
                IncarnationState(
                    source: NodeID(name: "e1"), incarnation: Incarnation(high: 1, low: 2), tag: tag,
                    key: SealKey(index: 0)))
            let endpoint = Endpoint(address: IPAddress("192.0.2.1")!, port: 4_100)
            let link = core.openLink(to: endpoint, others: [], name: "s1", isForAnnouncing: false, at: instant(0))!
            link.open(openedLink(to: link.peerName), at: instant(0))
            path = StreamPath(
                link: link, candidate: ParentCandidate(name: "s1", endpoint: endpoint, rank: 1, cause: "test"),
                subscription: 1, bit: 1, isExtra: false, start: .live, now: instant(0))
            path.accept(tag, backlogEnd: 0)
            path.becomeLive()
            stream.paths.add(path)
        }

        /// Takes a packet as the node does. Returns whether it was kept.
        mutating func take(_ sequence: UInt64, isRepair: Bool = false, at now: MonotonicInstant) -> Bool {
            let linkNumber = path.link.window.highest + 1
            _ = path.link.window.note(linkNumber)
            let header = DataHeader(
                retransmitted: isRepair, token: 1, linkNumber: linkNumber, tag: IncarnationTag(5),
                sequence: SequenceNumber(sequence), kind: .data)
            let bytes = [UInt8](repeating: 0, count: WireLimits.streamHeaderLength + 8)
            return bytes.withUnsafeBytes { bytes in
                let arrival = Receiver.Arrival(
                    header: header, link: path.link, stream: stream, path: path, first: bytes, second: nil,
                    payload: UnsafeRawBufferPointer(rebasing: bytes[WireLimits.streamHeaderLength...]))
                receiver.noteArrival(arrival, on: path, at: now, &core)
                if case .dropped = receiver.accept(arrival, at: now, &core) { return false }
                return receiver.store(arrival, at: now, &core) != nil
            }
        }

        /// The steps of play-out, until one waits or nothing is left to do.
        mutating func steps(isLast: Bool = false, at now: MonotonicInstant) -> [PlayOut.Step] {
            var steps: [PlayOut.Step] = []
            guard receiver.beginDelivery(of: stream) != nil, let incarnation = stream.incarnation else { return [] }
            while true {
                let step = receiver.nextStep(of: stream, incarnation, isLast: isLast, at: now, &core)
                steps.append(step)
                switch step {
                case .handOut, .skip: continue
                case .wait, .done: return steps
                }
            }
        }
    }

    @Test("A packet is kept once")
    func duplicates() {
        var setup = Setup(role: .set)
        #expect(did(&setup) { $0.take(10, at: instant(1)) })
        #expect(!did(&setup) { $0.take(10, at: instant(2)) })
        #expect(setup.stream.arrivals.duplicates == 1)
        #expect(setup.core.context.counters[.duplicates] == 1)
    }

    @Test("Skipped numbers are missing until they arrive; a retransmit counts as a repair")
    func repair() {
        var setup = Setup(role: .set)
        _ = setup.take(10, at: instant(1))
        _ = setup.take(13, at: instant(2))
        let gaps = setup.stream.incarnation?.gaps.gaps.map(\.sequence)
        #expect(gaps == [11, 12])
        #expect(did(&setup) { $0.take(11, isRepair: true, at: instant(3)) })
        #expect(setup.stream.arrivals.repaired == 1)
        #expect(setup.stream.incarnation?.gaps.gaps.map(\.sequence) == [12])
    }

    @Test("A gap in the link's own numbers is requested once reordering no longer explains it")
    func asks() {
        var setup = Setup(role: .set)
        _ = setup.take(10, at: instant(1))
        // Two link numbers are lost.
        _ = setup.path.link.window.note(setup.path.link.window.highest + 3)
        _ = setup.take(13, at: instant(2))
        setup.receiver.askForGaps(of: setup.stream, arrivedOn: nil, at: instant(2), &setup.core)
        #expect(setup.core.context.counters[.naksSent] == 0)
        setup.receiver.askForGaps(of: setup.stream, arrivedOn: nil, at: instant(600), &setup.core)
        #expect(setup.core.context.counters[.nakNumbersAsked] == 2)
        #expect(setup.core.context.counters[.naksSent] == 1, "one NAK names both")
    }

    @Test("The first packet may have a lower number than the parent named; children then start at that number")
    func startsLower() {
        var setup = Setup(role: .set)
        setup.stream.incarnation?.restart(at: 50)
        #expect(did(&setup) { $0.take(40, at: instant(1)) })
        #expect(setup.stream.incarnation?.start == 40)
    }

    @Test("An edge delivers in order, waits for missing packets until the deadline, then gives them up")
    func playOut() {
        var setup = Setup(role: .edge)
        setup.stream.incarnation?.restart(at: 10)
        for sequence: UInt64 in [10, 11, 13] { _ = setup.take(sequence, at: instant(1)) }
        let first = setup.steps(at: instant(1))
        #expect(first == [.handOut(0), .handOut(1), .wait(instant(501))])
        let late = setup.steps(at: instant(501))
        #expect(late == [.skip(lost: 1), .handOut(2), .done])
        #expect(setup.stream.deliveries.lost == 1)
        #expect(!did(&setup) { $0.take(12, at: instant(502)) }, "it was given up")
    }

    @Test("At the end of an incarnation, delivery waits for nothing")
    func last() {
        var setup = Setup(role: .edge)
        setup.stream.incarnation?.restart(at: 10)
        for sequence: UInt64 in [10, 12] { _ = setup.take(sequence, at: instant(1)) }
        #expect(
            did(&setup) { $0.steps(isLast: true, at: instant(1)) } == [.handOut(0), .skip(lost: 1), .handOut(1), .done])
    }
}
