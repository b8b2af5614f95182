import DNSAnswers
import ReflectorModel

/// The changes of an edit: for the map, rectangles of portsets × regions whose parents change, not a list of names.
public struct ZoneDiff: Sendable, Equatable, Codable {
    /// Portsets and regions with new parents, or a new TTL.
    public struct Move: Sendable, Equatable, Codable {
        public var zone: String
        /// `s4096` or `s4096-s8191`.
        public var portsets: String
        /// `r1283`, `r1284-r1299` or the name of a set region; `r*` alone for every declared edge region.
        public var regions: [String]
        /// Set regions in the order n1 n2 n3; empty if there are no parents.
        public var oldParents: [String]
        public var newParents: [String]
        /// TTL in seconds; nil if there are no parents on this side.
        public var oldTTL: UInt32?
        public var newTTL: UInt32?
        /// Number of exact streams (`stream live/news …`) whose portset is in the range after the edit.
        public var streams: Int
        /// Patterns whose streams may be in the range: `live/*`.
        public var patterns: [String]
        /// The lines that win, as `file:line`.
        public var oldRule: String?
        public var newRule: String?
    }

    /// Any other change: zones, records of the `.zone` file, defaults, set regions, edge regions, streams.
    public struct Change: Sendable, Equatable, Codable {
        public var zone: String
        /// `zone`, `record`, `default`, `setregion`, `region` or `stream`.
        public var kind: String
        /// The change as text for people.
        public var text: String
    }

    public var moves: [Move] = []
    public var changes: [Change] = []
    /// True if there were more moves than the limit.
    public var isCutShort = false

    /// Maximum number of moves.
    static let movesMax = 100_000

    /// True if no answer changes.
    public var isEmpty: Bool { moves.isEmpty && changes.isEmpty }

    /// Compares two generations, zone by zone.
    public init(from old: [ZoneContent], to new: [ZoneContent]) {
        for zone in sortedUnique((old + new).map(\.zone)) {
            switch (old.first { $0.zone == zone }, new.first { $0.zone == zone }) {
            case (let before?, let after?):
                compareMaps(before, after)
                changes += ZoneChanges.between(before, after)
            case (let before, let after):
                changes.append(Change(zone: zone, kind: "zone", text: before == nil ? "zone added" : "zone removed"))
                let empty = ZoneContent(zone: zone)
                compareMaps(before ?? empty, after ?? empty)
            }
        }
    }

    private mutating func compareMaps(_ before: ZoneContent, _ after: ZoneContent) {
        var comparison = MapComparison(before, after)
        let found = comparison.moves(limit: Self.movesMax - moves.count)
        moves += found.moves
        isCutShort = isCutShort || found.isCutShort
    }
}

extension ZoneDiff.Move: CustomStringConvertible {
    /// `s4096 × r1283: sjc nyc → lon nyc, 1 stream`.
    public var description: String {
        let shown = regions.prefix(6).joined(separator: ",")
        let more = regions.count > 6 ? " and \(regions.count - 6) more" : ""
        var text = "\(portsets) × \(shown)\(more): "
        func tuple(_ parents: [String]) -> String { parents.isEmpty ? "none" : parents.joined(separator: " ") }
        if oldParents == newParents {
            text += "\(tuple(newParents)) stays"
        } else {
            text += "\(tuple(oldParents)) → \(tuple(newParents))"
        }
        if let oldTTL, let newTTL, oldTTL != newTTL { text += ", TTL \(oldTTL) → \(newTTL)" }
        text += streams == 1 ? ", 1 stream" : ", \(streams) streams"
        if !patterns.isEmpty {
            text += " and those of " + patterns.prefix(4).joined(separator: ", ")
            if patterns.count > 4 { text += " and \(patterns.count - 4) patterns more" }
        }
        return text
    }
}
