/// The names with a special meaning under the zone (design §4), without the zone itself. All names at which a node looks
/// for hosts, and all that the name server synthesises, are of this type. The revocation list is no host: its names are
/// in `RevocationRecords`.
public enum ReflectorName: Hashable, Sendable, CustomStringConvertible {
    /// `n1.r1283.s4096`: a region's parents of rank 1 for a portset. `n1.r1283`, without a portset, means the default
    /// portset.
    case parents(ParentRank, RegionID, PortsetID?)
    /// `sets.s4096`: every root set reflector that carries a portset.
    case rootSets(PortsetID)
    /// `ep-bos.sets`: where an entrypoint announces, the root set reflectors of all its portsets.
    case announceTargets(host: String)
    /// `news.live.streams`: the candidate entrypoints of a stream, in order.
    case candidates(StreamName)
    /// `ep-bos.nodes`: a host's addresses and port (SRV), and its roles and regions (TXT).
    case node(host: String)

    public var description: String {
        switch self {
        case .parents(let rank, let region, let portset?): "\(rank).\(region).\(portset)"
        case .parents(let rank, let region, nil): "\(rank).\(region)"
        case .rootSets(let portset): "sets.\(portset)"
        case .announceTargets(let host): "\(host).sets"
        case .candidates(let stream): "\(stream.reversedLabels).streams"
        case .node(let host): "\(host).nodes"
        }
    }
}

extension ReflectorName {
    /// Reads the output of `description`, in lower case. Nil if the text has none of these forms.
    public init?(_ text: String) {
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        guard labels.count >= 2, let first = labels.first, let last = labels.last else { return nil }
        if last == "streams" {
            guard let stream = StreamName(labels.dropLast().reversed().joined(separator: "/")) else { return nil }
            self = .candidates(stream)
        } else if last == "nodes" {
            let host = labels.dropLast().joined(separator: ".")
            guard Self.isHost(host) else { return nil }
            self = .node(host: host)
        } else if last == "sets" {
            guard labels.count == 2, !first.isEmpty else { return nil }
            self = .announceTargets(host: String(first))
        } else if first == "sets" {
            guard labels.count == 2, let portset = PortsetID(label: last) else { return nil }
            self = .rootSets(portset)
        } else {
            guard labels.count <= 3, first.count == 2, first.first == "n", let number = UInt8(first.dropFirst()),
                let rank = ParentRank(rawValue: number), let region = RegionID(label: labels[1])
            else { return nil }
            if labels.count == 2 {
                self = .parents(rank, region, nil)
            } else {
                guard let portset = PortsetID(label: last) else { return nil }
                self = .parents(rank, region, portset)
            }
        }
    }

    /// Maximum length in bytes of a host name that a node may claim: with `.nodes` and a zone it still fits into a DNS
    /// name.
    private static var hostLengthMax: Int { 128 }

    /// Whether a name claimed by a peer can be queried in the DNS: labels of `[a-z0-9-_]{1,63}`.
    public static func isHost(_ name: some StringProtocol) -> Bool {
        guard !name.isEmpty, name.utf8.count <= hostLengthMax else { return false }
        return name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            (1...63).contains(label.utf8.count)
                && label.utf8.allSatisfy { byte in
                    byte >= 97 && byte <= 122 || byte >= 48 && byte <= 57 || byte == 45 || byte == 95
                }
        }
    }
}
