import ReflectorModel
import RelayWire

/// The path of a stream packet through the node and, at an edge, out of it.
extension RelayNode {
    func receiveData(
        _ datagram: UnsafeRawBufferPointer, from source: Endpoint, at now: MonotonicInstant
    ) throws(WireError) {
        guard let arrival = try receiver.open(datagram, from: source, at: now, &core) else { return }
        guard fetcher.takesFed(arrival.listening, arrival.sequence, of: arrival.stream, at: now, &core) else { return }
        if let hot = arrival.stream.hot {
            mergeIn(arrival, hot, at: now)
        } else {
            take(arrival, at: now)
        }
    }

    /// Processes a verified packet of the incarnation in use.
    @inline(__always)
    func take(_ arrival: borrowing Receiver.Arrival, at now: MonotonicInstant) {
        if let path = arrival.path {
            if receiver.bringsToLife(path, arrival) { becameLive(path, of: arrival.stream, at: now) }
            receiver.noteArrival(arrival, on: path, at: now, &core)
        }
        keep(arrival, at: now)
        if arrival.stream.incarnation?.gaps.isEmpty == false {
            receiver.askForGaps(of: arrival.stream, arrivedOn: arrival.path, at: now, &core)
        }
    }

    /// Stores a packet, forwards it at once and, at an edge, delivers packets that are in order.
    @inline(__always)
    private func keep(_ arrival: borrowing Receiver.Arrival, at now: MonotonicInstant) {
        switch receiver.accept(arrival, at: now, &core) {
        case .dropped: return
        case .new: break
        case .startsLower: restartChildren(of: arrival.stream, at: now)
        case .jumped(let lost):
            if let lost { receiver.sink?.discontinuity(stream: arrival.stream.name, lost: lost) }
        }
        if arrival.isUnsealed, !receiver.seal(arrival, &core) { return }
        guard let (slot, isRepair) = receiver.store(arrival, at: now, &core) else { return }
        core.forward(slot, arrival.header.sequence, of: arrival.stream, isRepair: isRepair, at: now)
        if receiver.handsOut { deliver(arrival.stream, at: now) }
    }

    /// Delivers all packets that are in order, and gives up the missing ones whose play-out deadline has passed. With
    /// `isLast`, gives up all that are missing.
    func deliver(_ stream: StreamState, isLast: Bool = false, at now: MonotonicInstant) {
        guard let tag = receiver.beginDelivery(of: stream) else { return }
        // The sink may end demand during the call, so the incarnation is read again each time.
        while let incarnation = stream.incarnation, incarnation.tag == tag {
            switch receiver.nextStep(of: stream, incarnation, isLast: isLast, at: now, &core) {
            case .handOut(let slot):
                guard let payload = receiver.takePayload(slot, of: stream, at: now, &core) else { continue }
                receiver.sink?.deliver(payload, stream: stream.name, slot: stream.slot, at: now)
            case .skip(let lost): receiver.sink?.discontinuity(stream: stream.name, lost: lost)
            case .wait(let deadline): return core.clock.schedule(stream, deadline)
            case .done: return
            }
        }
    }

    /// See `Receiver.rewind`.
    func rewind(_ stream: StreamState, to reply: SubscribeReply, at now: MonotonicInstant) {
        guard receiver.rewind(stream, to: reply, at: now, &core) else { return }
        if stream.incarnation?.nextToDeliver != 0 { receiver.sink?.discontinuity(stream: stream.name, lost: 0) }
        restartChildren(of: stream, at: now)
    }
}
