import ReflectorModel
import SecretFiles

extension KeyFile {
    /// Fresh keys from the system's random source (getrandom(2)): one network key with phase 1, and one stream key for
    /// each pattern.
    public static func generate(streams: [StreamKeys.Pattern]) -> KeyFile {
        var random = SystemRandomNumberGenerator()
        var streamKeys = StreamKeys()
        for pattern in streams {
            // A pattern given twice keeps its first key.
            if case nil = streamKeys.first(for: pattern) {
                try? streamKeys.add(randomHex(bytes: 16, from: &random), for: pattern)
            }
        }
        return KeyFile(
            networkKeys: [NetworkKey(phase: 1, bytes: randomBytes(networkKeyBytes, from: &random))],
            streamKeys: streamKeys)
    }

    /// Writes a new file of mode 0600; never overwrites an existing file.
    public func write(to path: String) throws(Invalid) {
        do throws(PrivateFile.Failure) {
            try PrivateFile.create(path, text: text)
        } catch {
            throw Invalid(problems: [Problem(path: path, line: 0, column: 0, text: error.description)])
        }
    }

    /// The file's text.
    var text: String {
        var lines = ["# Secrets of this network: keep the mode at 0600, and the copies of all nodes equal."]
        for key in networkKeys { lines.append("network \(key.phase) \(Self.hex(key.bytes))") }
        for (pattern, key) in streamKeys.lines { lines.append("stream \(pattern) \(key)") }
        return lines.joined(separator: "\n") + "\n"
    }

    static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func randomHex(bytes: Int, from random: inout SystemRandomNumberGenerator) -> String {
        hex(randomBytes(bytes, from: &random))
    }

    static func randomBytes(_ count: Int, from random: inout SystemRandomNumberGenerator) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    }
}
