import DequeModule
import ReflectorModel
import RelayWire

/// Datagrams on their way out: control at once, then runs of packets per child, live before retransmits and backlog.
extension RelayNode {
    /// True when `transmit` has something to send now.
    public func hasOutput(at now: MonotonicInstant) -> Bool { flushAt <= now }

    /// Fills the batch with what is due. True if more waits: send the batch, empty it, and call again. Bodies point into
    /// the node's log and are valid until the next call of any other method.
    public func transmit(at now: MonotonicInstant, into batch: inout DatagramBatch) -> Bool {
        guard flushAt <= now else { return false }
        _ = control.drain(into: &batch)
        guard control.isEmpty else { return true }
        while let slot = dirtyChildren.last {
            if let link = childLinks[slot] {
                guard flushLive(of: link, at: now, into: &batch) else { return true }
                guard flushRepair(of: link, at: now, into: &batch) else { return true }
                if link.repair.isEmpty {
                    link.isDirty = false
                } else {
                    deferredChildren.append(slot)
                }
            }
            dirtyChildren.removeLast()
        }
        noteFlushed(at: now)
        // One burst of retransmits and backlog a flush; the rest waits for the next.
        swap(&dirtyChildren, &deferredChildren)
        flushAt = dirtyChildren.isEmpty ? .distantFuture : now + configuration.flushInterval
        return false
    }

    private func flushLive(of link: ChildLink, at now: MonotonicInstant, into batch: inout DatagramBatch) -> Bool {
        guard let first = link.live.first else { return true }
        let (arrival, waiting) = (log[first.slot].arrival, link.live.count)
        emit(&link.live, most: .max, on: link, at: now, into: &batch)
        noteSent(waiting - link.live.count, arrived: arrival, on: link, at: now)
        return link.live.isEmpty
    }

    /// At most one burst of retransmits and backlog an interval.
    private func flushRepair(of link: ChildLink, at now: MonotonicInstant, into batch: inout DatagramBatch) -> Bool {
        if link.repair.isEmpty { return true }
        if now - link.burstStart >= configuration.flushInterval {
            link.burst = 0
            link.burstStart = now
        }
        let left = configuration.burstMax - link.burst
        let waiting = link.repair.count
        emit(&link.repair, most: left, on: link, at: now, into: &batch)
        let sent = waiting - link.repair.count
        link.burst += sent
        return sent == min(left, waiting)
    }

    /// Moves packets from a queue of the link into the batch, until `most` are moved or the batch is full. What is the
    /// same for all is read and written once: this runs for each packet and child.
    private func emit(
        _ queue: inout Deque<ChildLink.Queued>, most: Int, on link: ChildLink, at now: MonotonicInstant,
        into batch: inout DatagramBatch
    ) {
        let (log, endpoint, local, token) = (log, link.endpoint, link.local, link.childToken)
        let firstNumber = link.nextLinkNumber
        var number = firstNumber
        var (taken, retransmits, bytes) = (0, 0, 0)
        while taken < queue.count, taken < most, batch.hasRoom(headerLength: WireLimits.linkHeaderLength) {
            let packet = queue[taken]
            taken += 1
            guard log.holds(packet.slot, packet.tag, packet.sequence) else {
                counters.add(.droppedOverwritten)
                continue
            }
            let body = log.bytes(packet.slot)
            let keyPhase = log[packet.slot].keyPhase
            batch.append(
                to: endpoint, from: local, headerLengthMax: WireLimits.linkHeaderLength, body: body
            ) { header in
                DataHeader.writeLinkHeader(
                    into: header, retransmitted: packet.isRetransmit, keyPhase: keyPhase, token: token,
                    linkNumber: number)
                return WireLimits.linkHeaderLength
            }
            number &+= 1
            bytes += body.count
            if packet.isRetransmit { retransmits += 1 }
        }
        queue.removeFirst(taken)
        let sent = UInt64(number &- firstNumber)
        guard sent > 0 else { return }
        link.nextLinkNumber = number
        link.lastSent = now
        link.packetsSent &+= sent
        link.retransmitsSent &+= UInt64(retransmits)
        counters.add(.dataSent, sent)
        counters.add(.bytesSent, UInt64(bytes) + sent * UInt64(WireLimits.linkHeaderLength))
    }
}
