import ReflectorModel

/// The numbers of packets that one child reports as received and missed on its link, as far as they are plausible:
/// together they cannot exceed the number of packets sent to it.
struct ChildReport {
    private var newest: (received: UInt32, lost: UInt32) = (0, 0)
    /// Accepted counts since the link was opened.
    private(set) var received: UInt64 = 0
    private(set) var lost: UInt64 = 0
    /// The counts at the last call of `takeNew`.
    private var counted: (received: UInt64, lost: UInt64) = (0, 0)

    /// Processes a report. Its counts are modulo 2³², and missed packets may still arrive.
    ///
    /// - Parameter sent: packets sent on the link since it was opened.
    /// - Returns: how many of the reported packets are implausible; nil if the report is ignored because a newer one
    ///   was processed before.
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

    /// The increase since the last call.
    mutating func takeNew() -> (received: UInt64, lost: UInt64) {
        // Packets that seemed lost may have arrived since. They are not counted again if they seem lost once more.
        defer { counted = (max(counted.received, received), max(counted.lost, lost)) }
        return (received - min(counted.received, received), lost - min(counted.lost, lost))
    }
}

/// What children received and missed, totalled over all links since the start, for the name servers' probes.
///
/// The loss ratio of each round is the median over one report per child address and two artificial reports of no loss.
/// So one child, or any number of children behind one address, cannot cause a loss alone: the result is above zero only
/// if at least half of these reports, the artificial ones included, show a loss. If the set reflector's own network is
/// lossy, most of its children miss packets; if a child's network is lossy, that child is one among many.
struct ReportTotals {
    /// The report of one child for one round. `count` adds up those of all children at the same address.
    struct Vote {
        var address: IPAddress
        var received: UInt64
        var lost: UInt64
    }

    /// Length of a round: every child reports once per round.
    static let round = TimeSpan.seconds(2)
    /// An address to which fewer packets were sent does not vote.
    private static let packetsMin: UInt64 = 40
    /// Number of votes for "no loss" that are always added.
    private static let witnesses = 2

    private(set) var received: UInt64 = 0
    private(set) var lost: UInt64 = 0
    private var began: MonotonicInstant?
    /// Fraction of a packet left over from rounding in the last round.
    private var rest = 0.0

    /// True once a round: the votes should be counted now.
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
