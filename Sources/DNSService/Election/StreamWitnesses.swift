import DNSAnswers
import ReflectorModel

/// Which entrypoints may lead a stream and which set reflectors may say so, by the files alone: what a prober needs to
/// judge the leads that set reflectors report.
struct StreamWitnesses: Sendable {
    let lines: StreamLines
    private let map: RuleMap
    /// The set reflectors of each set region.
    private let members: [[NodeID]]

    /// Slow for a large map: never call it on a loop.
    init(_ files: ZoneContent) {
        lines = StreamLines(files)
        map = RuleMap(files)
        members = files.setRegions.map { region in
            region.members.filter { files.hosts.indices.contains($0.host) }
                .map { NodeID(name: files.hosts[$0.host].name) }
        }
    }

    /// The root set regions of a stream's portset, to whose set reflectors its candidates announce it: ascending indices
    /// in the content's `setRegions`. Empty if no line answers the stream, or if no region has parents for its portset.
    func roots(of stream: StreamName) -> [Int] {
        lines.portset(of: stream).map { map.roots(of: $0.rawValue) } ?? []
    }

    /// The set reflectors of these set regions.
    func witnesses(in regions: [Int]) -> Set<NodeID> { Set(regions.flatMap { members[$0] }) }

    /// True if `witness` may say that `source` leads the stream, or that nobody does (nil).
    func accepts(_ source: NodeID?, of stream: StreamName, from witness: NodeID) -> Bool {
        guard roots(of: stream).contains(where: { members[$0].contains(witness) }) else { return false }
        guard let source else { return true }
        return lines.candidate(source, of: stream) != nil
    }
}
