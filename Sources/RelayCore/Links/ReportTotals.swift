import ReflectorModel

/// What one child says that it received and missed on its link, as far as that can be true: nobody received or missed more
/// than was sent to it.
struct ChildReport {
    private var newest: (received: UInt32, lost: UInt32) = (0, 0)
    /// What is believed, since the link was opened.
    private(set) var received: UInt64 = 0
    private(set) var lost: UInt64 = 0
    /// The same when it was last counted (`takeNew`).
    private var counted: (received: UInt64, lost: UInt64) = (0, 0)

    /// Takes a report. Its counts are modulo 2³², and what was missed may still come.
    ///
    /// - Parameter sent: packets sent on the link since it was opened.
    /// - Returns: how many packets of it are not believed; nil if a newer report has overtaken this one: it says nothing.
    mutating func take(received newReceived: UInt32, lost newLost: UInt32, sent: UInt64) -> UInt64? {
        let more = Int64(Int32(bitPattern: newReceived &- newest.received))
        guard more >= 0 else { return nil }
        let missed = Int64(Int32(bitPattern: newLost &- newest.lost))
        newest = (newReceived, newLost)
        let saidReceived = received &+ UInt64(more)
        let saidLost = UInt64(max(Int64(clamping: lost) &+ missed, 0))
        received = min(saidReceived, sent)
        lost = min(saidLost, sent - received)
        return (saidReceived - received) &+ (saidLost - lost)
    }

    /// What has been added since this was last called.
    mutating func takeNew() -> (received: UInt64, lost: UInt64) {
        // What seemed lost may have come meanwhile, and is not counted again if it seems lost once more.
        defer { counted = (max(counted.received, received), max(counted.lost, lost)) }
        return (received - min(counted.received, received), lost - min(counted.lost, lost))
    }
}

/// What children received and missed, added up over all links since the start, for the name servers' probes.
///
/// In each round the loss is the median of what the children's addresses say, with two more that say "none": so one child, or
/// any number behind one address, says nothing alone, and of three or more that say something, the majority counts. A set
/// reflector on lossy ground loses for most of them; a child on lossy ground is one of many.
struct ReportTotals {
    /// What the children of one address say of one round.
    struct Vote {
        var address: IPAddress
        var received: UInt64
        var lost: UInt64
    }

    /// Length of a round: every child reports once in it.
    static let round = TimeSpan.seconds(2)
    /// An address to which fewer packets were sent has no voice.
    private static let packetsMin: UInt64 = 40
    /// Voices for "no loss" that are always there.
    private static let witnesses = 2

    private(set) var received: UInt64 = 0
    private(set) var lost: UInt64 = 0
    private var began: MonotonicInstant?
    /// Part of a packet left over from the rounding of the last round.
    private var rest = 0.0

    /// True once a round: then the votes are to be counted.
    mutating func isDue(at now: MonotonicInstant) -> Bool {
        guard let began else {
            self.began = now
            return false
        }
        guard now - began >= Self.round else { return false }
        self.began = now
        return true
    }

    /// Counts one round.
    mutating func count(_ votes: [Vote]) {
        var shares = [Double](repeating: 0, count: Self.witnesses)
        var packets: UInt64 = 0
        var address: Vote?
        func close() {
            guard let vote = address, vote.received + vote.lost >= Self.packetsMin else { return }
            shares.append(Double(vote.lost) / Double(vote.received + vote.lost))
        }
        for vote in votes.sorted(by: { $0.address < $1.address }) {
            packets &+= vote.received &+ vote.lost
            if address?.address == vote.address {
                address?.received += vote.received
                address?.lost += vote.lost
            } else {
                close()
                address = vote
            }
        }
        close()
        shares.sort()
        let median = (shares[(shares.count - 1) / 2] + shares[shares.count / 2]) / 2
        let exact = Double(packets) * median + rest
        let missed = min(UInt64(exact), packets)
        rest = exact - Double(missed)
        lost &+= missed
        received &+= packets - missed
    }
}
