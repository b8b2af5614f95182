import DNSAnswers
import ReflectorModel

/// The `stream` lines of a zone's files by name: which line answers a stream, and its candidate entrypoints. It is built
/// once for each generation of the files.
struct StreamLines: Sendable {
    let zone: String
    /// Host names by their indices in the content's `hosts`.
    let hosts: [String]
    /// The same as node ids.
    private let nodes: [NodeID]
    let lines: [ZoneContent.StreamRule]
    private let index: StreamIndex
    /// Numbers of the lines by the names of their patterns: `live/*`.
    private let patterns: [String: Int]

    init(_ files: ZoneContent) {
        zone = files.zone
        hosts = files.hosts.map(\.name)
        nodes = hosts.map { NodeID(name: $0) }
        lines = files.streams
        index = StreamIndex(lines)
        patterns = Dictionary(
            lines.indices.filter { files.streams[$0].isPattern }.map { (files.streams[$0].name, $0) }
        ) { first, _ in first }
    }

    /// Number of the line that answers a stream; nil if none does.
    func line(of stream: StreamName) -> Int? { index.match(stream.segments.map(String.init))?.rule }

    /// Number of the line for the name of a stream, or for a pattern exactly as a line has it, such as `live/*`.
    func line(named name: String) -> Int? { patterns[name] ?? StreamName(name).flatMap { line(of: $0) } }

    /// Candidates of a line, best first, as indices in the content's `hosts`.
    func candidates(ofLine line: Int) -> [Int] { lines[line].entrypoints.filter(nodes.indices.contains) }

    /// Index in the content's `hosts` of the stream's candidate with this id; nil if it is none of its candidates.
    func candidate(_ node: NodeID, of stream: StreamName) -> Int? {
        line(of: stream).flatMap { candidates(ofLine: $0).first { nodes[$0] == node } }
    }

    /// The portset of a stream; nil if no line answers it.
    func portset(of stream: StreamName) -> PortsetID? {
        guard let line = line(of: stream) else { return nil }
        switch lines[line].portset {
        case .fixed(let portset): return portset
        case .hashed(let range): return stream.portset(hashedInto: range)
        }
    }
}
