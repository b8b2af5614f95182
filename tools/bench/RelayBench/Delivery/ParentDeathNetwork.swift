import Foundation
import ReflectorModel

/// Set reflectors that are killed and links that are cut, between an entrypoint and an edge that keep running: three
/// set regions, so three ranks of parents, with several hosts each, and an impairment relay before each host.
struct ParentDeathNetwork {
    /// What happens to the parent in use.
    enum Death: String, CaseIterable {
        /// `kill -9` of the set reflector.
        case parent = "parent killed"
        /// `kill -9` of the impairment relay on its link to the edge: the set reflector keeps running and sending.
        case link = "link cut"
    }

    private static let regions = 3

    private let testbed: DeliveryTestbed
    private let others: [Companion]
    private var sets: [Int: Companion] = [:]
    private var links: [Int: Companion] = [:]

    /// Starts everything but the edge.
    /// - Parameters:
    ///   - hosts: set reflectors in each set region.
    ///   - streams: encoders that the entrypoint listens for.
    init(_ testbed: DeliveryTestbed, hosts: Int, streams: Int) throws {
        self.testbed = testbed
        try FileManager.default.createDirectory(atPath: testbed.folder, withIntermediateDirectories: true)
        let numbers = 1...(Self.regions * hosts)
        let firsts = stride(from: 1, to: Self.regions * hosts + 1, by: hosts)
        let map = "map s* r* " + firsts.map { "\(Self.name($0))-region" }.joined(separator: " ")
        let inner = numbers.map { (Self.name($0), testbed.set($0)) }
        let outer = numbers.map { (Self.name($0), testbed.impairment($0)) }
        try testbed.writeZone("inner", sets: inner, regionSize: hosts, maps: [map])
        try testbed.writeZone("outer", sets: outer, regionSize: hosts, maps: [map])
        others = [
            try testbed.startNameServer("inner", at: testbed.nameServer),
            try testbed.startNameServer("outer", at: testbed.edgeNameServer),
            try testbed.startEntrypoint(streams: streams),
        ]
        for number in numbers {
            try restore(.parent, of: number)
            try restore(.link, of: number)
        }
    }

    /// Number of a set reflector by its name; nil for other names.
    static func number(of name: String) -> Int? {
        name.hasPrefix("set-") ? Int(name.dropFirst("set-".count)) : nil
    }

    private static func name(_ number: Int) -> String { "set-\(number)" }

    mutating func strike(_ death: Death, of number: Int) {
        switch death {
        case .parent: sets.removeValue(forKey: number)?.end()
        case .link: links.removeValue(forKey: number)?.end()
        }
    }

    mutating func restore(_ death: Death, of number: Int) throws {
        switch death {
        case .parent: sets[number] = try testbed.startSet(number)
        case .link:
            let (outer, inner) = ("\(testbed.impairment(number)):4900", "\(testbed.set(number)):4900")
            links[number] = try testbed.start(["impair", "--listen", outer, "--to", inner])
        }
    }

    func end() {
        for companion in others + sets.values + links.values { companion.end() }
    }
}
