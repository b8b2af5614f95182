import Foundation
import ReflectorModel

/// The zone that is measured: 16 set regions, 3,000 edge regions, random overlapping rectangles, always the same.
enum BenchZone {
    static let regions = 3_000
    static let setRegions = 16

    static func write(to directory: String, lines: Int) throws {
        var random = SeededGenerator(seed: 2_004)
        var zone = """
            $TTL 60
            @ SOA ns1 hostmaster ( 1 3600 600 604800 5 )
            @ NS ns1
            ns1 A 127.0.0.1
            ep A 127.0.0.2

            """
        var portsets = "default portset=s0 port=4900 ttl=20\n"
        for set in 0..<setRegions {
            for host in 1...3 { zone += "set\(set)-\(host) A 127.1.\(set).\(host)\n" }
            let hosts = (1...3).map { "set\(set)-\($0)" }.joined(separator: ",")
            portsets += "setregion set\(set) id=r\(900_000 + set) hosts=\(hosts) capacity=10Gbps site=site\(set)\n"
        }
        portsets += "region r1-r\(regions) name=edge\nmap s* r* set0 set1 set2\n"
        for _ in 1..<max(lines, 1) {
            let portset = range(0...65_535, &random)
            let region = range(1...regions, &random)
            let parents = Array(0..<setRegions).shuffled(using: &random).prefix(3).map { "set\($0)" }
            portsets += "map s\(portset.lowerBound)-s\(portset.upperBound) r\(region.lowerBound)-r\(region.upperBound) "
            portsets += parents.joined(separator: " ") + " ttl=\(Int.random(in: 1...300, using: &random))\n"
        }
        let streams = "stream live/* hash(0-65535) entrypoints=ep push\n"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        for (name, text) in [("zone", zone), ("portsets", portsets), ("streams", streams)] {
            try text.write(toFile: "\(directory)/reflector.net.\(name)", atomically: true, encoding: .utf8)
        }
    }

    private static func range(_ all: ClosedRange<Int>, _ random: inout SeededGenerator) -> ClosedRange<Int> {
        let a = Int.random(in: all, using: &random)
        let b = Int.random(in: all, using: &random)
        return min(a, b)...max(a, b)
    }
}

/// Queries for random leaders, regions and portsets of the zone, with EDNS, one behind the other in memory.
final class QueryList {
    let count: Int
    private let memory: UnsafeMutableRawPointer
    private var offsets: [Int] = [0]

    init(count: Int, types: [UInt16]) {
        self.count = count
        var random = SeededGenerator(seed: 4_711)
        var bytes: [UInt8] = []
        for index in 0..<count {
            let rank = Int.random(in: 1...3, using: &random)
            let region = Int.random(in: 1...BenchZone.regions, using: &random)
            let portset = Int.random(in: 0...65_535, using: &random)
            bytes += [UInt8(index >> 8 & 255), UInt8(index & 255), 0, 0, 0, 1, 0, 0, 0, 0, 0, 1]
            for label in ["n\(rank)", "r\(region)", "s\(portset)", "reflector", "net"] {
                bytes += [UInt8(label.utf8.count)] + label.utf8
            }
            bytes += [0, 0, UInt8(types[index % types.count]), 0, 1]
            bytes += [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]
            offsets.append(bytes.count)
        }
        memory = .allocate(byteCount: bytes.count, alignment: 16)
        memory.copyMemory(from: bytes, byteCount: bytes.count)
    }

    deinit { memory.deallocate() }

    subscript(index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: memory + offsets[index], count: offsets[index + 1] - offsets[index])
    }
}
