import Foundation

/// The vectors of certificates and their handshake, read from WireFormat.md.
struct DocumentedIdentityVectors {
    let values: [String: [UInt8]]

    init() throws {
        let document = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Sources/RelayWire/WireFormat.md").standardizedFileURL
        let text = try String(contentsOf: document, encoding: .utf8)
        let block = text.components(separatedBy: "```identity-vectors\n").dropFirst().first?
            .components(separatedBy: "```").first
        var values: [String: [UInt8]] = [:]
        var name = ""
        for line in (block ?? "").split(separator: "\n") {
            if line.hasPrefix("  ") {
                values[name, default: []] += Self.bytes(hex: line.dropFirst(2))
            } else {
                name = String(line.dropLast())
            }
        }
        self.values = values
    }

    static func bytes(hex: some StringProtocol) -> [UInt8] {
        let digits = hex.compactMap(\.hexDigitValue)
        return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
