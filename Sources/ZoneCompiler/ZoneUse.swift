import DNSAnswers
import ReflectorModel

/// What uses a host, a portset or a region: the lines that name it, the part of the map where it appears, and the
/// streams. Answers "What uses this host?" before it is switched off.
public struct ZoneUse: Sendable, Equatable, Codable {
    public enum Subject: Sendable, Equatable {
        /// A host name, relative to the zone or absolute.
        case host(String)
        case portset(PortsetID)
        case region(RegionID)
    }

    /// A rectangle of the map in which one line wins.
    public struct Cell: Sendable, Equatable, Codable {
        /// `s4096`, `s0-s99`.
        public var portsets: String
        /// `r1283`, `r1-r9`, or the name of a set region.
        public var regions: String
        /// The parent ranks that the host has there: `n1`; empty if the subject is not a host.
        public var ranks: [String]
        public var line: ZoneExplanation.Line
    }

    /// A stream that the host serves or carries, or that may be in the portset.
    public struct Stream: Sendable, Equatable, Codable {
        public var line: ZoneExplanation.Line
        /// For a host, `candidate 2 of 3` or `carried`; for a portset, `in it` or `by hash, some of them`.
        public var part: String
    }

    /// `host nyc-1`, `portset s4096`, `region r1283`.
    public var subject: String
    /// Short facts from the files: addresses, the root set regions of a portset.
    public var facts: [String] = []
    /// Lines that declare or use the subject.
    public var lines: [ZoneExplanation.Line] = []
    public var cells: [Cell] = []
    /// True if there are more cells than the limit.
    public var isCutShort = false
    public var streams: [Stream] = []

    /// True if nothing uses the subject.
    public var isUnused: Bool { lines.isEmpty && cells.isEmpty && streams.isEmpty }

    /// - Parameter cellsMax: maximum number of rectangles.
    public init(of subject: Subject, in content: ZoneContent, cellsMax: Int = 1_000) {
        switch subject {
        case .host(let name):
            self.subject = "host \(name)"
            addHost(name.lowercased(), content, cellsMax)
        case .portset(let portset):
            self.subject = "portset \(portset)"
            addPortset(portset, content, cellsMax)
        case .region(let region):
            self.subject = "region \(region)"
            addRegion(region, content, cellsMax)
        }
    }

    // MARK: A host

    private mutating func addHost(_ name: String, _ content: ZoneContent, _ cellsMax: Int) {
        // Relative to the zone, or absolute with or without its final dot.
        let absolute = name.hasSuffix(".") ? String(name.dropLast()) : name
        let suffix = "." + content.zone
        let relative = absolute.hasSuffix(suffix) ? String(absolute.dropLast(suffix.count)) : absolute
        guard
            let host = content.hosts.firstIndex(where: { $0.name == name })
                ?? content.hosts.firstIndex(where: { $0.name == relative })
        else { return }
        facts = content.hosts[host].addresses.map(\.description)
        var isIn = Array(repeating: false, count: content.setRegions.count)
        for (number, set) in content.setRegions.enumerated() where set.members.contains(where: { $0.host == host }) {
            isIn[number] = true
            lines.append(Self.line(set.source, "setregion \(set.name)"))
        }
        for regions in content.edgeRegions where regions.hosts.contains(host) {
            lines.append(Self.line(regions.source, "region r\(regions.ids.lowerBound)"))
        }
        let isWanted = content.rules.map { rule in rule.parents.contains { isIn[$0] } }
        let map = MapRectangles(content, rules: isWanted, limit: cellsMax)
        take(map, content) { rule in
            rule.parents.prefix(3).enumerated().filter { isIn[$0.element] }.map { "n\($0.offset + 1)" }
        }
        addStreams(content) { stream in
            if let order = stream.entrypoints.firstIndex(of: host) {
                return "candidate \(order + 1) of \(stream.entrypoints.count)"
            }
            return map.all.contains { $0.portsets.overlaps(stream.portset.range) } ? "carried" : nil
        }
    }

    // MARK: A portset

    private mutating func addPortset(_ portset: PortsetID, _ content: ZoneContent, _ cellsMax: Int) {
        let roots = RuleMap(content, portsets: portset.rawValue...portset.rawValue)
            .roots(of: portset.rawValue).map { content.setRegions[$0].name }
        facts = ["root set regions: " + (roots.isEmpty ? "none" : roots.joined(separator: ", "))]
        let range = portset.rawValue...portset.rawValue
        let isWanted = Array(repeating: true, count: content.rules.count)
        take(MapRectangles(content, portsets: range, rules: isWanted, limit: cellsMax), content) { _ in [] }
        addStreams(content) { stream in
            guard stream.portset.range.overlaps(range) else { return nil }
            if case .fixed = stream.portset { return "in it" }
            return "by hash, some of them"
        }
    }

    // MARK: A region

    private mutating func addRegion(_ region: RegionID, _ content: ZoneContent, _ cellsMax: Int) {
        for set in content.setRegions where set.id == region {
            lines.append(Self.line(set.source, "setregion \(set.name)"))
        }
        for regions in content.edgeRegions where regions.ids.contains(region.rawValue) {
            let names = regions.hosts.map { content.hosts[$0].name }.joined(separator: ",")
            let ids = Self.label("r", regions.ids.lowerBound, regions.ids.upperBound)
            let name = regions.name.isEmpty ? "" : " name=\(regions.name)"
            lines.append(Self.line(regions.source, "region \(ids)\(name)" + (names.isEmpty ? "" : " hosts=\(names)")))
        }
        let isWanted = Array(repeating: true, count: content.rules.count)
        take(MapRectangles(content, region: region, rules: isWanted, limit: cellsMax), content) { _ in [] }
    }

    // MARK: Parts

    private mutating func take(
        _ map: MapRectangles, _ content: ZoneContent, ranks: (ZoneContent.Rule) -> [String]
    ) {
        isCutShort = map.isCutShort
        cells = map.all.map { rectangle in
            let rule = content.rules[rectangle.rule]
            let regions: String
            switch rectangle.columns {
            case .edge(let ids): regions = Self.label("r", ids.lowerBound, ids.upperBound)
            case .setRegion(let set): regions = content.setRegions[set].name
            }
            return Cell(
                portsets: Self.label("s", rectangle.portsets.lowerBound, rectangle.portsets.upperBound),
                regions: regions, ranks: ranks(rule), line: Self.line(rule.source, rule.text(in: content)))
        }
    }

    private mutating func addStreams(_ content: ZoneContent, part: (ZoneContent.StreamRule) -> String?) {
        streams = content.streams.compactMap { stream in
            part(stream).map { Stream(line: Self.line(stream.source, "stream \(stream.name)"), part: $0) }
        }
    }

    private static func line(_ source: ZoneContent.SourceLine, _ text: String) -> ZoneExplanation.Line {
        .init(file: source.file, line: source.line, text: text, wins: true)
    }

    private static func label<Number: Equatable>(_ letter: String, _ low: Number, _ high: Number) -> String {
        low == high ? "\(letter)\(low)" : "\(letter)\(low)-\(letter)\(high)"
    }
}
