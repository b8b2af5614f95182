import DNSAnswers
import ReflectorModel

/// What an edit changes: for the map, rectangles of portsets × regions whose parents change, not a list of names.
public struct ZoneDiff: Sendable, Equatable, Codable {
    /// Portsets of regions that get other parents, or another TTL.
    public struct Move: Sendable, Equatable, Codable {
        public var zone: String
        /// `s4096` or `s4096-s8191`.
        public var portsets: String
        /// `r1283`, `r1284-r1299` or the name of a set region; `r*` alone for every declared edge region.
        public var regions: [String]
        /// Set regions in the order n1 n2 n3; empty for none.
        public var oldParents: [String]
        public var newParents: [String]
        /// Seconds; nil where there were, or are, no parents.
        public var oldTTL: UInt32?
        public var newTTL: UInt32?
        /// Exact streams (`stream live/news …`) whose portset is among these, after the edit.
        public var streams: Int
        /// Patterns that may put streams here: `live/*`.
        public var patterns: [String]
        /// Lines that decide, `file:line`.
        public var oldRule: String?
        public var newRule: String?
    }

    /// Anything else that changes: records of the `.zone` file, set regions, streams.
    public struct Change: Sendable, Equatable, Codable {
        public var zone: String
        /// `zone`, `record`, `default`, `setregion`, `region` or `stream`.
        public var kind: String
        /// The sentence for people.
        public var text: String
    }

    public var moves: [Move] = []
    public var changes: [Change] = []
    /// True if there were more moves than are kept.
    public var isCutShort = false

    /// Most moves kept.
    static let movesMax = 100_000

    /// True if nothing that anyone can look up changes.
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
