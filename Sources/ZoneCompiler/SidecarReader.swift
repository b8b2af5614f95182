import DNSAnswers
import ReflectorModel

/// Reads the sidecars of a zone into its content. It reads the declarations of `.portsets` before the `map` lines, so
/// that a line may use names that are declared further down.
struct SidecarReader {
    var content: ZoneContent
    let zoneFile: ZoneFile
    /// Index in `content.hosts` of each host used so far.
    private var hostNumbers: [String: Int] = [:]
    /// For each host, its only role and the line that assigned it most recently.
    var hostRoles: [Int: HostRole] = [:]
    var setRegionNumbers: [String: Int] = [:]
    var regions = RegionTable()
    /// Positions of `content.edgeRegions` in the file, and of each set region's id.
    var edgeRegionWords: [Word] = []
    var setRegionIDs: [(id: RegionID, word: Word)] = []
    /// Hosts whose records could not be read, relative to the zone.
    private lazy var brokenHosts = Set(zoneFile.brokenOwners.compactMap { WireName.relative($0, to: zoneFile.apex) })
    /// For each region name, the line that declares it.
    var regionNames: [String: Int] = [:]

    struct HostRole {
        var part: String
        var source: ZoneContent.SourceLine
        var port: UInt16?
    }

    init(_ zoneFile: ZoneFile) {
        self.zoneFile = zoneFile
        content = ZoneContent(zone: zoneFile.zone, records: zoneFile.records)
    }

    /// Index of a host, which is added on its first use. Nil if the zone has no address for it. This is reported unless
    /// the host's records could not be read.
    mutating func host(_ name: Word, _ problems: inout ProblemList) -> Int? {
        if let known = hostNumbers[name.text] { return known }
        guard let addresses = zoneFile.addresses[name.text] else {
            if !brokenHosts.contains(name.text) {
                problems.error(
                    name, "host '\(name.text)' has no address in \(zoneFile.file); add '\(name.text) A ADDRESS' there")
            }
            return nil
        }
        hostNumbers[name.text] = content.hosts.count
        content.hosts.append(ZoneContent.Host(name: name.text, addresses: addresses))
        return content.hosts.count - 1
    }
}

/// The declared edge regions, for lookups by range.
struct RegionTable {
    /// Once `close` has run, sorted by lower bound, and disjoint unless an overlap was reported.
    private(set) var ranges: [ClosedRange<UInt32>] = []

    mutating func close(_ declared: [ZoneContent.EdgeRegions]) {
        ranges = declared.map(\.ids).sorted { $0.lowerBound < $1.lowerBound }
    }

    /// True if any region of `range` is declared.
    func meets(_ range: ClosedRange<UInt32>) -> Bool {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < range.lowerBound { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].lowerBound <= range.upperBound
    }
}
