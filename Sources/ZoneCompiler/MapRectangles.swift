import DNSAnswers
import ReflectorModel

/// The effective map: rectangles of portsets × regions in which one line wins.
struct MapRectangles {
    /// The regions of a rectangle.
    enum Columns: Hashable {
        case edge(ClosedRange<UInt32>)
        /// Index in `ZoneContent.setRegions`.
        case setRegion(Int)
    }

    struct Rectangle {
        var portsets: ClosedRange<UInt16>
        var columns: Columns
        /// Index in `ZoneContent.rules`.
        var rule: Int
    }

    private struct Strip: Hashable {
        var columns: Columns
        var rule: Int
    }

    /// Rectangles by portset, then region.
    private(set) var all: [Rectangle] = []
    /// True if there are more rectangles than the limit.
    private(set) var isCutShort = false

    /// - Parameters:
    ///   - portsets: rectangles are clipped to these.
    ///   - region: only this column; nil for all.
    ///   - rules: for each line, whether its rectangles are included.
    ///   - limit: maximum number of rectangles.
    init(
        _ content: ZoneContent, portsets wanted: ClosedRange<UInt16> = 0...UInt16.max, region: RegionID? = nil,
        rules isWanted: [Bool], limit: Int
    ) {
        let axis = RegionAxis([content])
        let rows = PortsetAxis([content])
        var ruleRows = RuleRows(content, axis)
        var open: [Strip: ClosedRange<UInt16>] = [:]
        for row in rows.rowsMeeting(wanted) {
            let portsets = rows.portsets(row).clamped(to: wanted)
            var still: [Strip: ClosedRange<UInt16>] = [:]
            let winners = ruleRows.winners(portset: portsets.lowerBound)
            for strip in Self.strips(content, axis, winners, isWanted, region) {
                let start = open.removeValue(forKey: strip)?.lowerBound ?? portsets.lowerBound
                still[strip] = start...portsets.upperBound
            }
            close(open)
            open = still
            if all.count > limit { break }
        }
        close(open)
        all.sort { Self.order($0) < Self.order($1) }
        isCutShort = all.count > limit
        all = Array(all.prefix(max(limit, 0)))
    }

    private mutating func close(_ strips: [Strip: ClosedRange<UInt16>]) {
        for (strip, portsets) in strips {
            all.append(Rectangle(portsets: portsets, columns: strip.columns, rule: strip.rule))
        }
    }

    private static func order(_ rectangle: Rectangle) -> (UInt16, Int, UInt32, Int) {
        switch rectangle.columns {
        case .edge(let ids): (rectangle.portsets.lowerBound, 0, ids.lowerBound, rectangle.rule)
        case .setRegion(let set): (rectangle.portsets.lowerBound, 1 + set, 0, rectangle.rule)
        }
    }

    /// Ranges of regions of one row in which one line wins.
    private static func strips(
        _ content: ZoneContent, _ axis: RegionAxis, _ winners: [Int32], _ isWanted: [Bool], _ region: RegionID?
    ) -> [Strip] {
        var result: [Strip] = []
        for (column, winner) in winners.enumerated() {
            let rule = Int(winner)
            guard rule >= 0, isWanted[rule] else { continue }
            guard column < axis.segments.count else {
                let set = column - axis.segments.count
                if region == nil || content.setRegions[set].id == region {
                    result.append(Strip(columns: .setRegion(set), rule: rule))
                }
                continue
            }
            var ids = axis.segments[column]
            if let region {
                guard ids.contains(region.rawValue) else { continue }
                ids = region.rawValue...region.rawValue
            }
            if let last = result.last, last.rule == rule, case .edge(let before) = last.columns,
                UInt64(before.upperBound) + 1 == UInt64(ids.lowerBound)
            {
                result[result.count - 1].columns = .edge(before.lowerBound...ids.upperBound)
            } else {
                result.append(Strip(columns: .edge(ids), rule: rule))
            }
        }
        return result
    }
}
