import ReflectorModel

/// What the streaming server of one edge receives of one stream, over all restarts of the edge.
struct StreamReceipt {
    /// The highest number received from each encoder session. Neither it nor a lower number may come again.
    private var last: [(session: UInt64, number: UInt64)] = []
    private(set) var session: UInt64?
    private(set) var delivered: UInt64 = 0
    private(set) var missing: UInt64 = 0
    /// Packets that the edge has reported lost since the last delivery.
    private var announcedLost: UInt64 = 0
    private var isSpliced = false
    private(set) var splicedAt: MonotonicInstant?
    private(set) var lastAt: MonotonicInstant?
    private(set) var gapMax = TimeSpan.zero
    /// Gaps before this instant do not count.
    private var gapFrom = MonotonicInstant.zero
    var wantedAt: MonotonicInstant?
    private(set) var firstAfter: TimeSpan?
    private(set) var sourceChanges = 0

    var lastNumber: UInt64 { last.first { $0.session == session }?.number ?? 0 }

    /// Records a delivery, and checks that each incarnation arrives in order, without repetition and without unreported
    /// loss (design §7).
    mutating func take(
        _ payload: NumberedPayload, at now: MonotonicInstant, edge: String, _ invariants: InvariantChecker
    ) {
        delivered += 1
        if let lastAt {
            gapMax = max(gapMax, now - max(lastAt, gapFrom))
        } else if let wantedAt {
            firstAfter = now - wantedAt
        }
        lastAt = now
        let index = last.firstIndex { $0.session == payload.session }
        if let index {
            let before = last[index].number
            if payload.number <= before {
                invariants.violate(
                    "\(edge) stream \(payload.stream): number \(payload.number) after \(before) of session "
                        + "\(payload.session): \(payload.number == before ? "twice" : "out of order or twice")", at: now
                )
                return
            }
            if session == payload.session, !isSpliced, payload.number > before + 1 {
                let skipped = payload.number - before - 1
                missing += skipped
                if announcedLost < skipped {
                    invariants.violate(
                        "\(edge) stream \(payload.stream): \(skipped) missing before \(payload.number), "
                            + "\(announcedLost) reported lost", at: now)
                }
            }
            last[index].number = payload.number
        } else {
            last.append((payload.session, payload.number))
        }
        if let session, session != payload.session {
            sourceChanges += 1
            if !isSpliced {
                invariants.violate(
                    "\(edge) stream \(payload.stream): session \(payload.session) within session \(session)",
                    at: now)
            }
        }
        if isSpliced || session != payload.session { splicedAt = now }
        session = payload.session
        announcedLost = 0
        isSpliced = false
    }

    /// Notes a discontinuity. If `lost` is 0, another source or incarnation follows, and its numbers need not be
    /// consecutive.
    mutating func note(lost: UInt64) {
        announcedLost += lost
        if lost == 0 { isSpliced = true }
    }

    /// Forgets the gaps so far. The present gap counts from this instant.
    mutating func measureGaps(from now: MonotonicInstant) {
        gapFrom = now
        gapMax = .zero
    }

    /// The streaming server starts afresh, because the edge crashed or because the stream ended for lack of viewers.
    mutating func restart(wantedAt: MonotonicInstant?) {
        last = []
        session = nil
        lastAt = nil
        announcedLost = 0
        isSpliced = false
        self.wantedAt = wantedAt
    }
}
