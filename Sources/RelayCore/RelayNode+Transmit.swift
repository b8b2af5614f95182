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
                link.burst = 0
                if link.repair.isEmpty {
                    link.isDirty = false
                } else {
                    deferredChildren.append(slot)
                }
            }
            dirtyChildren.removeLast()
        }
        // One burst of retransmits and backlog a flush; the rest waits for the next.
        swap(&dirtyChildren, &deferredChildren)
        flushAt = dirtyChildren.isEmpty ? .distantFuture : now + configuration.flushInterval
        return false
    }

    private func flushLive(of link: ChildLink, at now: MonotonicInstant, into batch: inout DatagramBatch) -> Bool {
        while let packet = link.live.first {
            guard batch.hasRoom(headerLength: WireLimits.linkHeaderLength) else { return false }
            link.live.removeFirst()
            emit(packet, to: link, at: now, into: &batch)
        }
        return true
    }

    private func flushRepair(of link: ChildLink, at now: MonotonicInstant, into batch: inout DatagramBatch) -> Bool {
        while link.burst < configuration.burstMax, let packet = link.repair.first {
            guard batch.hasRoom(headerLength: WireLimits.linkHeaderLength) else { return false }
            link.repair.removeFirst()
            link.burst += 1
            emit(packet, to: link, at: now, into: &batch)
        }
        return true
    }

    @inline(__always)
    private func emit(
        _ packet: ChildLink.Queued, to link: ChildLink, at now: MonotonicInstant, into batch: inout DatagramBatch
    ) {
        guard log.holds(packet.slot, packet.tag, packet.sequence) else { return counters.add(.droppedOverwritten) }
        let body = log.bytes(packet.slot)
        let number = link.nextLinkNumber
        let keyPhase = log[packet.slot].keyPhase
        let token = link.childToken
        link.nextLinkNumber &+= 1
        link.lastSent = now
        link.packetsSent &+= 1
        if packet.isRetransmit { link.retransmitsSent &+= 1 }
        counters.add(.dataSent)
        counters.add(.bytesSent, UInt64(body.count + WireLimits.linkHeaderLength))
        batch.append(to: link.endpoint, headerLengthMax: WireLimits.linkHeaderLength, body: body) { header in
            DataHeader.writeLinkHeader(
                into: header, retransmitted: packet.isRetransmit, keyPhase: keyPhase, token: token, linkNumber: number)
            return WireLimits.linkHeaderLength
        }
    }
}
