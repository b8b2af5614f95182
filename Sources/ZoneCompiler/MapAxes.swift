import DNSAnswers
import ReflectorModel

/// The regions as columns: declared edge regions, split wherever a line or declaration begins or ends, then one column
/// for each set region.
struct RegionAxis: Sendable {
    /// Ascending and disjoint; every line treats all regions of a segment alike.
    private(set) var segments: [ClosedRange<UInt32>] = []

    /// Splits the regions for several contents at once, so that the contents can be compared column by column.
    init(_ contents: [ZoneContent]) {
        var cuts: [UInt64] = []
        var declared: [ClosedRange<UInt32>] = []
        for content in contents {
            for region in content.edgeRegions {
                declared.append(region.ids)
                cuts += [UInt64(region.ids.lowerBound), UInt64(region.ids.upperBound) + 1]
            }
            for rule in content.rules {
                if case .edge(let ids) = rule.regions {
                    cuts += [UInt64(ids.lowerBound), UInt64(ids.upperBound) + 1]
                }
            }
        }
        cuts = sortedUnique(cuts)
        var end: UInt64 = 0
        for range in declared.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            var low = max(UInt64(range.lowerBound), end)
            let stop = UInt64(range.upperBound) + 1
            var cut = lowerBound(cuts, low + 1)
            while low < stop {
                let high = cut < cuts.count ? min(cuts[cut], stop) : stop
                segments.append(UInt32(low)...UInt32(high - 1))
                low = high
                cut += 1
            }
            end = max(end, stop)
        }
    }

    /// The columns of a selector. The ends of an edge selector must be column boundaries.
    func columns(_ selector: ZoneContent.RegionSelector) -> Range<Int> {
        switch selector {
        case .allEdge: return 0..<segments.count
        case .setRegion(let number): return (segments.count + number)..<(segments.count + number + 1)
        case .edge(let ids):
            let low = firstSegment { $0.lowerBound >= ids.lowerBound }
            return low..<max(low, firstSegment { $0.lowerBound > ids.upperBound })
        }
    }

    private func firstSegment(_ isBehind: (ClosedRange<UInt32>) -> Bool) -> Int {
        var low = 0
        var high = segments.count
        while low < high {
            let middle = (low + high) / 2
            if isBehind(segments[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

/// The portsets as rows, split wherever a line begins or ends.
struct PortsetAxis: Sendable {
    /// First portset of each row; row 0 begins with portset 0.
    let starts: [Int]

    init(_ contents: [ZoneContent]) {
        var cuts = [0]
        for content in contents {
            for rule in content.rules {
                cuts.append(Int(rule.portsets.lowerBound))
                cuts.append(Int(rule.portsets.upperBound) + 1)
            }
        }
        starts = sortedUnique(cuts).filter { $0 <= 65_535 }
    }

    func portsets(_ row: Int) -> ClosedRange<UInt16> {
        let end = row + 1 < starts.count ? starts[row + 1] : 65_536
        return UInt16(starts[row])...UInt16(end - 1)
    }

    /// Rows that share a portset with the range; the range's ends need not be row boundaries.
    func rowsMeeting(_ range: ClosedRange<UInt16>) -> Range<Int> {
        let first = lowerBound(starts, Int(range.lowerBound) + 1) - 1
        return first..<lowerBound(starts, Int(range.upperBound) + 1)
    }

    func rows(_ portsets: ClosedRange<UInt16>) -> Range<Int> {
        lowerBound(starts, Int(portsets.lowerBound))..<lowerBound(starts, Int(portsets.upperBound) + 1)
    }
}

/// Index of the first element that is not less than `value`.
func lowerBound<Element: Comparable>(_ sorted: [Element], _ value: Element) -> Int {
    var low = 0
    var high = sorted.count
    while low < high {
        let middle = (low + high) / 2
        if sorted[middle] < value { low = middle + 1 } else { high = middle }
    }
    return low
}

func sortedUnique<Element: Comparable>(_ values: [Element]) -> [Element] {
    var result: [Element] = []
    for value in values.sorted() where result.last != value { result.append(value) }
    return result
}
