import DNSAnswers
import Foundation
import ReflectorModel
import ZoneCompiler

/// The measured zones: 16 set regions of three hosts, edge regions, and a map of random overlapping rectangles; always
/// the same.
struct BenchZone {
    static let name = "reflector.net"
    static let setRegions = 16

    /// Number of edge regions, from r1 on.
    var regions = 3_000
    /// Number of mapped portsets, from s0 on.
    var portsets = 65_536
    /// Number of map lines.
    var lines = 1_000

    /// Number of names: three leaders for each region and portset.
    var names: Int { 3 * regions * portsets }

    func write(to directory: String) throws {
        var random = SeededGenerator(seed: 2_004)
        var zone = """
            $TTL 60
            @ SOA ns1 hostmaster ( 1 3600 600 604800 5 )
            @ NS ns1
            ns1 A 127.0.0.1
            ep A 127.0.0.2

            """
        var map = "default portset=s0 port=4900 ttl=20\n"
        for set in 0..<Self.setRegions {
            for host in 1...3 { zone += "set\(set)-\(host) A 127.1.\(set).\(host)\n" }
            let hosts = (1...3).map { "set\(set)-\($0)" }.joined(separator: ",")
            map += "setregion set\(set) id=r\(900_000 + set) hosts=\(hosts) capacity=10Gbps site=site\(set)\n"
        }
        map += "region r1-r\(regions) name=edge\nmap s0-s\(portsets - 1) r* set0 set1 set2\n"
        for _ in 1..<max(lines, 1) {
            let portset = Self.range(0...portsets - 1, &random)
            let region = Self.range(1...regions, &random)
            let parents = Array(0..<Self.setRegions).shuffled(using: &random).prefix(3).map { "set\($0)" }
            map += "map s\(portset.lowerBound)-s\(portset.upperBound) r\(region.lowerBound)-r\(region.upperBound) "
            map += parents.joined(separator: " ") + " ttl=\(Int.random(in: 1...300, using: &random))\n"
        }
        let streams = "stream live/* hash(0-\(portsets - 1)) entrypoints=ep push\n"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        for (suffix, text) in [("zone", zone), ("portsets", map), ("streams", streams)] {
            let path = "\(directory)/\(Self.name).\(suffix)"
            try text.write(toFile: path, atomically: true, encoding: .utf8)
        }
    }

    private static func range(_ all: ClosedRange<Int>, _ random: inout SeededGenerator) -> ClosedRange<Int> {
        let a = Int.random(in: all, using: &random)
        let b = Int.random(in: all, using: &random)
        return min(a, b)...max(a, b)
    }

    // MARK: For the other servers

    /// Writes every name with its addresses, one record per line, so that a server that stores names gives the same
    /// answers.
    static func writeFlat(_ directory: String, to path: String) throws {
        guard let content = try ZoneDirectory.compile(directory).contents.first else {
            throw ExitFailure(text: "\(directory): the zone has errors")
        }
        let image = try ZoneImage(content, serial: 1)
        guard FileManager.default.createFile(atPath: path, contents: nil), let file = FileHandle(forWritingAtPath: path)
        else { throw ExitFailure(text: "\(path): can't be written") }
        defer { try? file.close() }
        var text = """
            $ORIGIN \(name).
            $TTL 60
            @ SOA ns1 hostmaster 1 3600 600 604800 5
            @ NS ns1
            ns1 A 127.0.0.1

            """
        let addresses = content.setRegions.map { region in
            region.members.flatMap { content.hosts[$0.host].addresses.map(\.description) }
        }
        let last = content.rules.map(\.portsets.upperBound).max() ?? 0
        for edge in content.edgeRegions {
            for region in edge.ids {
                for portset in 0...last {
                    guard let rule = image.winningRule(portset: PortsetID(portset), region: RegionID(region)) else {
                        continue
                    }
                    for (rank, parent) in content.rules[rule].parents.prefix(3).enumerated() {
                        let owner = "n\(rank + 1).r\(region).s\(portset) \(content.rules[rule].ttl) A "
                        for address in addresses[parent] { text += owner + address + "\n" }
                    }
                }
                try file.write(contentsOf: Data(text.utf8))
                text = ""
            }
        }
    }
}
