/// The stored names of a zone while its image is built, with the empty non-terminals between them and the apex.
struct NameTreeBuilder {
    struct Node {
        /// RRsets by type, in order of appearance.
        var sets: [StoredSet] = []
        var alias: UInt32 = 0
        var referral: UInt32 = 0
        var explanation: UInt32 = 0
        var wildcard: Int32 = -1
    }

    /// Names in the order of creation; the apex is the first.
    private(set) var names: [[UInt8]] = []
    var nodes: [Node] = []
    private var numberOf: [[UInt8]: Int] = [:]
    private let apex: [UInt8]

    init(apex: [UInt8]) {
        self.apex = apex
        names = [apex]
        nodes = [Node()]
        numberOf[apex] = 0
    }

    /// Number of the node of `name`. Creates the node, and those between it and the apex, if needed. Nil for a name
    /// that is not in the zone.
    mutating func node(_ name: [UInt8]) -> Int? {
        if let known = numberOf[name] { return known }
        guard WireName.labelOffsets(name) != nil, WireName.isWithin(name, apex), let first = name.first else {
            return nil
        }
        let isWildcard = first == 1 && name[1] == UInt8(ascii: "*")
        let parent = Array(name[(1 + Int(first))...])
        guard let above = node(parent) else { return nil }
        let number = nodes.count
        names.append(name)
        nodes.append(Node())
        numberOf[name] = number
        if isWildcard { nodes[above].wildcard = Int32(number) }
        return number
    }
}
