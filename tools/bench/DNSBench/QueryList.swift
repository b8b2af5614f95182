import Foundation
import ReflectorModel

/// Queries for random leaders, regions and portsets of a zone, with EDNS, stored one after the other in memory.
final class QueryList {
    let count: Int
    private let memory: UnsafeMutableRawPointer
    private var offsets: [Int] = [0]

    /// - Parameters:
    ///   - types: used in turn.
    ///   - missingPercent: share of queries for regions that do not exist.
    ///   - option: an EDNS option of all queries.
    init(_ zone: BenchZone, count: Int, types: [UInt16], missingPercent: Int = 0, option: [UInt8] = []) {
        self.count = count
        var random = SeededGenerator(seed: 4_711)
        var bytes: [UInt8] = []
        for index in 0..<count {
            let rank = Int.random(in: 1...3, using: &random)
            var region = Int.random(in: 1...zone.regions, using: &random)
            let portset = Int.random(in: 0..<zone.portsets, using: &random)
            if Int.random(in: 0..<100, using: &random) < missingPercent { region += zone.regions }
            bytes += [UInt8(index >> 8 & 255), UInt8(index & 255), 0, 0, 0, 1, 0, 0, 0, 0, 0, 1]
            for label in ["n\(rank)", "r\(region)", "s\(portset)", "reflector", "net"] {
                bytes += [UInt8(label.utf8.count)] + label.utf8
            }
            bytes += [0, 0, UInt8(types[index % types.count]), 0, 1]
            bytes += [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, UInt8(option.count)] + option
            offsets.append(bytes.count)
        }
        memory = .allocate(byteCount: bytes.count, alignment: 16)
        memory.copyMemory(from: bytes, byteCount: bytes.count)
    }

    deinit { memory.deallocate() }

    subscript(index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: memory + offsets[index], count: offsets[index + 1] - offsets[index])
    }

    /// Writes each query after its length, for dns-load.
    func write(to path: String) throws {
        var bytes = Data()
        for index in 0..<count {
            let query = self[index]
            bytes.append(contentsOf: [UInt8(query.count >> 8), UInt8(query.count & 255)])
            bytes.append(contentsOf: query)
        }
        try bytes.write(to: URL(fileURLWithPath: path))
    }

    /// Writes one name and type per line, for dnsperf.
    func writeText(to path: String) throws {
        var lines = ""
        for index in 0..<count {
            var labels: [String] = []
            var at = 12
            while self[index][at] != 0 {
                let length = Int(self[index][at])
                labels.append(String(decoding: self[index][(at + 1)..<(at + 1 + length)], as: UTF8.self))
                at += 1 + length
            }
            lines += labels.joined(separator: ".") + " A\n"
        }
        try lines.write(toFile: path, atomically: true, encoding: .utf8)
    }
}
