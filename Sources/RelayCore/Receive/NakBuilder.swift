import ReflectorModel
import RelayWire

/// Collects the numbers to request into as few NAKs as possible: one per path, try number and `isLast`, or more if
/// there are more than `Nak.numbersMax` numbers or too many runs.
struct NakBuilder {
    private(set) var naks: [(path: StreamPath, nak: Nak)] = []
    private var counts: [Int] = []
    /// Maximum number of runs in one NAK. This many always fit into a control datagram.
    private static let runsMax = 60

    /// - Parameter sequence: the number by which the parent knows the packet.
    mutating func add(_ sequence: UInt64, _ path: StreamPath, tryNumber: UInt8, isLast: Bool) {
        let index = naks.lastIndex {
            $0.path === path && $0.nak.tryNumber == tryNumber && $0.nak.isLast == isLast
        }
        guard let index, counts[index] < Nak.numbersMax, naks[index].nak.runs.count < Self.runsMax
        else {
            let run = Nak.Run(first: SequenceNumber(sequence), count: 1)
            let nak = Nak(
                subscription: path.subscription, tryNumber: tryNumber, isLast: isLast, runs: [run])
            naks.append((path, nak))
            counts.append(1)
            return
        }
        counts[index] += 1
        let last = naks[index].nak.runs.count - 1
        if last >= 0,
            naks[index].nak.runs[last].first.rawValue + UInt64(naks[index].nak.runs[last].count)
                == sequence
        {
            naks[index].nak.runs[last].count += 1
        } else {
            naks[index].nak.runs.append(Nak.Run(first: SequenceNumber(sequence), count: 1))
        }
    }
}
