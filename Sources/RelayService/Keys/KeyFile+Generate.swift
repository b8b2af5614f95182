import IdentityKeys
import ReflectorModel
import SecretFiles

extension KeyFile {
    /// Fresh keys from the system's random source (getrandom(2)): one for each pattern.
    public static func generate(streams: [StreamKeys.Pattern]) -> KeyFile {
        var random = SystemRandomNumberGenerator()
        var streamKeys = StreamKeys()
        for pattern in streams {
            // A pattern given twice keeps its first key.
            if case nil = streamKeys.first(for: pattern) {
                try? streamKeys.add(randomHex(bytes: 16, from: &random), for: pattern)
            }
        }
        return KeyFile(streamKeys: streamKeys)
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
        var lines = ["# Keys of encoders: keep the mode at 0600, and the copies of all entrypoints equal."]
        for (pattern, key) in streamKeys.lines { lines.append("stream \(pattern) \(key)") }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func randomHex(bytes: Int, from random: inout SystemRandomNumberGenerator) -> String {
        Hex.text((0..<bytes).map { _ in UInt8.random(in: 0...255, using: &random) })
    }
}
