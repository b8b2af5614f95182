import Foundation

/// A copy of `zones/` with its addresses moved from 127.0 to 127.N, so that networks do not collide. Tests that could
/// run at the same time use different N; 0 is for manual runs, 45 for the impairment relay.
struct ZonesCopy: Sendable {
    /// Second byte of every address.
    let net: UInt8
    let path: String

    init(net: UInt8, in folder: String) throws {
        self.net = net
        path = folder + "/zones"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let source = Program.root.appendingPathComponent("zones").path
        for name in try FileManager.default.contentsOfDirectory(atPath: source).sorted() {
            let text = try String(contentsOfFile: "\(source)/\(name)", encoding: .utf8)
            try write(text.replacing("127.0.", with: "127.\(net)."), to: name)
        }
    }

    func read(_ name: String) throws -> String { try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8) }

    /// Replaces a file as an editor does: as a whole, by renaming.
    func write(_ text: String, to name: String) throws {
        try text.write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8)
    }

    func edit(_ name: String, _ change: (String) -> String) throws { try write(change(try read(name)), to: name) }
}
