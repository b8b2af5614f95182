import ReflectorModel
import RelayWire

/// Packets to children: live as they arrive, backlog paced from the ring, retransmits as far as the bucket goes.
extension RelayNode {
    /// Queues a packet for every child that should get it now: the live ones, and with a repair also those whose
    /// backlog has already passed its number.
    func forward(
        _ slot: Int32, _ sequence: SequenceNumber, of stream: StreamState, isRepair: Bool, at now: MonotonicInstant
    ) {
        guard !stream.children.isEmpty, let tag = stream.incarnation?.tag else { return }
        let queued = ChildLink.Queued(slot: slot, sequence: sequence, tag: tag, isRetransmit: isRepair)
        flushPace.note(at: now)
        var queuedCount: UInt64 = 0
        for child in stream.fanOut where sequence.rawValue >= child.from {
            child.link._withUnsafeGuaranteedRef { link in
                guard sequence.rawValue < child.end else {
                    // A backlog that had nothing left waits for this.
                    if sequence.rawValue == child.end { schedule(link, now) }
                    return
                }
                guard enqueue(queued, on: link, at: now) else { return }
                queuedCount += 1
                if isRepair { link.answered.noteRepair(sequence.rawValue, of: child.subscription, at: now) }
            }
        }
        stream.packetsOut += queuedCount
        budget.refill(at: now)
        spend(slot, copies: Int(queuedCount))
        if queuedCount > 0, !isRepair { noteWaiting(stream, at: now) }
        flushAt = min(flushAt, flushPace.due(at: now))
    }

    /// False if there was no room for it. For live packets the caller sees to `flushAt`.
    private func enqueue(_ packet: ChildLink.Queued, on link: ChildLink, at now: MonotonicInstant) -> Bool {
        if packet.isRetransmit {
            guard link.repair.count < configuration.queuePacketsMax else {
                counters.add(.droppedQueueFull)
                return false
            }
            link.repair.append(packet)
        } else {
            if link.live.count >= configuration.queuePacketsMax {
                link.live.removeFirst()
                counters.add(.droppedQueueFull)
            }
            link.live.append(packet)
        }
        markDirty(link)
        // Live packets may wait to share a system call; somebody waits for this one.
        if packet.isRetransmit { flushAt = min(flushAt, now) }
        return true
    }

    private func markDirty(_ link: ChildLink) {
        guard !link.isDirty else { return }
        link.isDirty = true
        dirtyChildren.append(link.slot)
    }

    private func spend(_ slot: Int32, copies: Int) {
        budget.spend(bytes: copies * (Int(log[slot].length) + WireLimits.linkHeaderLength), datagrams: copies)
    }

    /// Moves each backlog of the link on, as far as its multiple of the arrival rate and the node's capacity allow. What the
    /// child would get anyway if it were served live goes before what is faster: however many come at once, as long as the live
    /// packets of all fit, none falls so far behind that the log overwrites what it was promised.
    func pumpBacklog(of link: ChildLink, at now: MonotonicInstant) {
        var wake: TimeSpan?
        budget.refill(at: now)
        for subscription in link.ordered {
            guard case .backlog(var cursor) = subscription.state, let stream = streams[subscription.stream],
                let incarnation = stream.incarnation
            else { continue }
            let arrivals = arrivalRate(of: stream, at: now)
            let rate = max(arrivals, 50) * Double(subscription.rateSixteenths) / 16
            let own = isRateKnown(of: stream, at: now) ? arrivals : 0
            subscription.accrue(rate: rate, own: own, most: configuration.burstMax, at: now)
            let isDrained = link.repair.isEmpty
            // A parent may have jumped ahead by any number: what is below the window is never held again.
            cursor = max(cursor, incarnation.index.lowest)
            let use: EgressBudget.Use = subscription.start.isResume ? .resume : .preburst
            while cursor <= incarnation.index.highest, subscription.allowance >= 1_024,
                link.repair.count < configuration.queuePacketsMax,
                budget.admits(subscription.ownAllowance >= 1_024 ? .share : use)
            {
                if let slot = incarnation.index.slot(cursor, in: log) {
                    link.repair.append(
                        ChildLink.Queued(
                            slot: slot, sequence: SequenceNumber(cursor), tag: incarnation.tag, isRetransmit: false))
                    subscription.takeOne()
                    spend(slot, copies: 1)
                    stream.packetsOut += 1
                    counters.add(.backlogSent)
                    markDirty(link)
                }
                cursor += 1
            }
            let isAtEnd = cursor > incarnation.index.highest
            let isFilling = isAtEnd && isFilling(stream, at: now)
            if isAtEnd, isDrained, !isFilling {
                // What was added just now goes ahead of all live packets: order is kept at the change-over.
                link.live.append(contentsOf: link.repair)
                link.repair.removeAll()
                link.caughtUp = now
                subscription.serve(.live, of: stream)
            } else {
                subscription.serve(.backlog(cursor: cursor), of: stream)
                // When the allowance is full, lest a fast stream never catches up. A child may ask for a rate of 0.
                let full = min(Double(configuration.burstMax) / rate, Self.backlogInterval.seconds)
                let soonest = max(configuration.flushInterval, .microseconds(100))
                let paced = max(.nanoseconds(Int64(full * 1e9)), soonest)
                // A thousand children that wait for capacity must not wake the node for nothing.
                let room = min(max(budget.wait(for: use), paced), Self.roomInterval)
                let share = max(subscription.wait(own: own), budget.wait(for: .share))
                let next = min(room, max(share, paced))
                let due = isFilling ? Self.roomInterval : isAtEnd ? paced : next
                wake = min(wake ?? Self.roomInterval, due)
            }
        }
        if link.isDirty { flushAt = min(flushAt, flushPace.due(at: now)) }
        if let wake { schedule(link, now + wake) }
    }

    /// A backlog moves on at least this often.
    private static var backlogInterval: TimeSpan { .milliseconds(2) }
    /// The same while the node has no capacity for it, or nothing to send.
    private static var roomInterval: TimeSpan { .milliseconds(20) }

    // MARK: Retransmit

    func receive(_ nak: Nak, on link: ChildLink, at now: MonotonicInstant) {
        counters.add(.naksReceived)
        guard let subscription = link.subscriptions[nak.subscription], subscription.state != .pending,
            let stream = streams[subscription.stream], let incarnation = stream.incarnation
        else { return }
        refillNakBucket(of: link, at: now)
        budget.refill(at: now)
        var asked = 0
        for run in nak.runs {
            for offset in 0..<UInt64(run.count) {
                asked += 1
                work &+= 1
                guard asked <= Nak.numbersMax else { return }
                let sequence = run.first.rawValue &+ offset
                if case .backlog(let cursor) = subscription.state, sequence >= cursor { continue }
                guard let slot = incarnation.index.slot(sequence, in: log) else {
                    // Not here either: it goes to every child when our own repair brings it.
                    counters.add(.nakNumbersMissed)
                    continue
                }
                guard budget.admits(.retransmit) else {
                    counters.add(.nakNumbersOverCapacity)
                    continue
                }
                guard
                    link.answered.admits(
                        sequence, of: subscription.id, tryNumber: nak.tryNumber, isLast: nak.isLast,
                        roundTrip: link.roundTrip.smoothed ?? .zero, at: now)
                else {
                    counters.add(.nakNumbersRepeated)
                    continue
                }
                guard link.nakTokens >= 1_024 else {
                    counters.add(.nakNumbersOverBucket)
                    continue
                }
                link.nakTokens -= 1_024
                counters.add(.nakNumbersServed)
                let queued = ChildLink.Queued(
                    slot: slot, sequence: SequenceNumber(sequence), tag: incarnation.tag, isRetransmit: true)
                if enqueue(queued, on: link, at: now) {
                    stream.packetsOut += 1
                    spend(slot, copies: 1)
                }
            }
        }
    }

    /// A quarter of the live rate (design §8), at least 100 packets a second, saved up for at most two seconds: what a
    /// short outage of a whole link costs.
    private func refillNakBucket(of link: ChildLink, at now: MonotonicInstant) {
        let rate = max(liveRate(of: link, at: now) / 4, 100)
        let elapsed = link.nakTokens == 0 && link.retransmitsSent == 0 ? 2 : (now - link.nakRefilled).seconds
        link.nakRefilled = now
        link.nakTokens = min(
            link.nakTokens + Int64(rate * elapsed * 1_024), Int64(max(rate * 8, 512)) << 10)
    }

    /// Packets a second of all streams on the link. Added up ten times a second at most: a link may have thousands.
    private func liveRate(of link: ChildLink, at now: MonotonicInstant) -> Double {
        if let last = link.ratesTotalledAt, now - last < .milliseconds(100) { return link.ratesTotal }
        link.ratesTotalledAt = now
        link.ratesTotal = link.ordered.reduce(0) { total, subscription in
            total + (streams[subscription.stream].map { arrivalRate(of: $0, at: now) } ?? 0)
        }
        work &+= UInt64(link.ordered.count)
        return link.ratesTotal
    }
}
