import Foundation

/// Measurements as lines of JSON; several runs can append to it.
struct ResultsFile {
    private let file: FileHandle

    init(_ path: String) throws {
        if !FileManager.default.fileExists(atPath: path) { try Data().write(to: URL(fileURLWithPath: path)) }
        file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.seekToEnd()
    }

    func append(_ value: some Encodable) throws {
        try file.write(contentsOf: try JSONEncoder().encode(value) + Data("\n".utf8))
    }

    static func read<Value: Decodable>(_ type: Value.Type, from path: String) throws -> [Value] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map {
            try JSONDecoder().decode(type, from: Data($0.utf8))
        }
    }

    /// Unlike `print`, unbuffered even into a file.
    static func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }
}
