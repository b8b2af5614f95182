import Foundation
import ReflectorModel

/// Set reflectors that are killed and links that are cut, between an entrypoint and an edge that live on: three set
/// regions, so three ranks of parents, with several hosts each, and an impairment relay before each host.
struct MortalNetwork {
    /// What happens to the parent in use.
    enum Death: String, CaseIterable {
        /// `kill -9` of the set reflector.
        case parent = "parent killed"
        /// `kill -9` of the impairment relay that its link to the edge runs through: the set reflector lives and sends on.
        case link = "link cut"
    }

    private static let regions = 3

    private let place: DeliveryPlace
    private let others: [Companion]
    private var sets: [Int: Companion] = [:]
    private var links: [Int: Companion] = [:]

    /// Starts everything but the edge.
    /// - Parameters:
    ///   - hosts: set reflectors in each set region.
    ///   - streams: encoders that the entrypoint listens for.
    init(_ place: DeliveryPlace, hosts: Int, streams: Int) throws {
        self.place = place
        try FileManager.default.createDirectory(atPath: place.folder, withIntermediateDirectories: true)
        let numbers = 1...(Self.regions * hosts)
        let firsts = stride(from: 1, to: Self.regions * hosts + 1, by: hosts)
        let map = "map s* r* " + firsts.map { "\(Self.name($0))-region" }.joined(separator: " ")
        let inner = numbers.map { (Self.name($0), place.set($0)) }
        let outer = numbers.map { (Self.name($0), place.impairment($0)) }
        try place.writeZone("inner", sets: inner, regionSize: hosts, maps: [map])
        try place.writeZone("outer", sets: outer, regionSize: hosts, maps: [map])
        others = [
            try place.startNameServer("inner", at: place.nameServer),
            try place.startNameServer("outer", at: place.edgeNameServer),
            try place.startEntrypoint(streams: streams),
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
        case .parent: sets[number] = try place.startSet(number)
        case .link:
            let (outer, inner) = ("\(place.impairment(number)):4900", "\(place.set(number)):4900")
            links[number] = try place.start(["impair", "--listen", outer, "--to", inner])
        }
    }

    func end() {
        for companion in others + sets.values + links.values { companion.end() }
    }
}
