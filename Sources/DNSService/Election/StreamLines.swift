import DNSAnswers
import ReflectorModel

/// The `stream` lines of a zone's files by name: which line answers a stream, its candidate entrypoints, and the set
/// reflectors that witness it. It is built once for each generation of the files.
struct StreamLines: Sendable {
    let zone: String
    /// Host names by their indices in the content's `hosts`.
    let hosts: [String]
    private let lines: [ZoneContent.StreamRule]
    /// The same as node ids.
    private let nodes: [NodeID]
    private var exact: [String: Int] = [:]
    /// By the text before the `/*`; empty for `*`.
    private var patterns: [String: Int] = [:]
    /// Every name at which a line stands, or below which one stands.
    private var existing: Set<String> = []

    init(_ files: ZoneContent) {
        zone = files.zone
        lines = files.streams
        hosts = files.hosts.map(\.name)
        nodes = hosts.map { NodeID(name: $0) }
        for (number, line) in lines.enumerated() {
            let name = line.segments.joined(separator: "/")
            if line.isPattern { patterns[name] = number } else { exact[name] = number }
            for length in 0...line.segments.count {
                existing.insert(line.segments[..<length].joined(separator: "/"))
            }
        }
    }

    /// Number of the line that answers this stream: its own, or else the pattern at the longest name above it that exists
    /// (RFC 4592 §3.3.1). Nil if there is none.
    func line(of stream: StreamName) -> Int? {
        if let own = exact[stream.text] { return own }
        // Only a name without lines of its own and below it can be matched by a pattern.
        guard !existing.contains(stream.text) else { return nil }
        var name = stream.text[...]
        while let slash = name.lastIndex(of: "/") {
            name = name[..<slash]
            if existing.contains(String(name)) { return patterns[String(name)] }
        }
        return patterns[""]
    }

    /// Number of the line for the name of a stream, or for a pattern exactly as a line has it, such as `live/*`.
    func line(named name: String) -> Int? {
        if name == "*" { return patterns[""] }
        if name.hasSuffix("/*") { return patterns[String(name.dropLast(2))] }
        return StreamName(name).flatMap { line(of: $0) }
    }

    /// The stream or pattern of a line, as people write it.
    func name(ofLine line: Int) -> String {
        (lines[line].segments + (lines[line].isPattern ? ["*"] : [])).joined(separator: "/")
    }

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
