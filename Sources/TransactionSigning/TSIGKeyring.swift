/// The keys that a name server knows, by name.
public struct TSIGKeyring: Sendable {
    /// Maximum number of keys.
    public static let keysMax = 1_024

    /// One error in a text of keys.
    public struct Problem: Error, Equatable, Sendable, CustomStringConvertible {
        public var line: Int
        public var message: String
        public var description: String { "\(line): \(message)" }
    }

    private var keys: [[UInt8]: TSIGKey] = [:]

    public init() {}

    public init(_ keys: [TSIGKey]) {
        for key in keys { self.keys[key.name] = key }
    }

    public var isEmpty: Bool { keys.isEmpty }

    /// - Parameter name: in wire form, lower case.
    subscript(name: [UInt8]) -> TSIGKey? { keys[name] }

    /// A key by its name as text.
    public subscript(name: String) -> TSIGKey? { TSIGName.wire(name).flatMap { keys[$0] } }

    /// Reads keys, one per line as `name algorithm base64`, or in the format of BIND and `tsig-keygen`: `key "name" {
    /// algorithm hmac-sha256; secret "base64"; };`. `#` begins a comment, and so does `//` at the start of a line or as
    /// a word of its own.
    public static func parse(_ text: String) -> Result<TSIGKeyring, Problems> {
        var ring = TSIGKeyring()
        var problems: [Problem] = []
        var words = words(text)[...]
        while let first = words.popFirst() {
            var taken: [Word] = [first]
            let isBlock = first.text == "key"
            if isBlock {
                taken = Array(words.prefix(5))
                words = words.dropFirst(5)
                guard taken.count == 5, taken[1].text == "algorithm", taken[3].text == "secret" else {
                    problems.append(
                        Problem(line: first.line, message: "a key is: key NAME { algorithm NAME; secret BASE64; };"))
                    break
                }
                taken = [taken[0], taken[2], taken[4]]
            } else {
                while taken.count < 3, words.first?.line == first.line, let word = words.popFirst() {
                    taken.append(word)
                }
                guard taken.count == 3 else {
                    problems.append(Problem(line: first.line, message: "a key is a line: name, algorithm, base64"))
                    continue
                }
            }
            do throws(Problem) { try ring.add(taken) } catch { problems.append(error) }
        }
        return problems.isEmpty ? .success(ring) : .failure(Problems(list: problems))
    }

    /// All errors in a text of keys.
    public struct Problems: Error, Sendable, CustomStringConvertible {
        public var list: [Problem]
        public var description: String { list.map(\.description).joined(separator: "\n") }
    }

    private mutating func add(_ words: [Word]) throws(Problem) {
        let (name, algorithm, secret) = (words[0], words[1], words[2])
        guard let known = TSIGAlgorithm(rawValue: algorithm.text.lowercased()) else {
            let all = TSIGAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")
            throw Problem(line: algorithm.line, message: "algorithm '\(algorithm.text)'; we have \(all)")
        }
        guard let bytes = Base64.decode(secret.text), !bytes.isEmpty else {
            throw Problem(line: secret.line, message: "the secret of '\(name.text)' is not base64")
        }
        guard let key = TSIGKey(name: name.text, algorithm: known, secret: bytes) else {
            throw Problem(line: name.line, message: "'\(name.text)' is not a domain name")
        }
        guard keys[key.name] == nil else {
            throw Problem(line: name.line, message: "a second key '\(name.text)'; remove one")
        }
        guard keys.count < Self.keysMax else {
            throw Problem(line: name.line, message: "more than \(Self.keysMax) keys")
        }
        keys[key.name] = key
    }

    private struct Word {
        var text: String
        var line: Int
    }

    private static func words(_ text: String) -> [Word] {
        var result: [Word] = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            var rest = line[...]
            if let hash = rest.firstIndex(of: "#") { rest = rest[..<hash] }
            for word in rest.split(whereSeparator: { $0.isWhitespace || "{};\"".contains($0) }) {
                // A word that begins with `//` after other words of its line may be a base64 secret, so it is no
                // comment.
                if word == "//" || (word.hasPrefix("//") && result.last?.line != number + 1) { break }
                result.append(Word(text: String(word), line: number + 1))
            }
        }
        return result
    }
}

/// Base64 (RFC 4648 §4), strict: padded, and unused bits are zero.
enum Base64 {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func decode(_ text: String) -> [UInt8]? {
        let bytes = Array(text.utf8)
        guard bytes.count % 4 == 0 else { return nil }
        let padding = bytes.reversed().prefix { $0 == UInt8(ascii: "=") }.count
        guard padding <= 2 else { return nil }
        var result: [UInt8] = []
        var (word, bits) = (0, 0)
        for byte in bytes.dropLast(padding) {
            guard let digit = digits.firstIndex(of: byte) else { return nil }
            word = word << 6 | digit
            bits += 6
            if bits >= 8 {
                bits -= 8
                result.append(UInt8(truncatingIfNeeded: word >> bits))
                word &= (1 << bits) - 1
            }
        }
        return word == 0 ? result : nil
    }

    static func encode(_ bytes: [UInt8]) -> String {
        var result: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let part = bytes[start..<min(start + 3, bytes.count)]
            let word = (Array(part) + [0, 0]).prefix(3).reduce(0) { $0 << 8 | Int($1) }
            for position in 0..<4 {
                result.append(position <= part.count ? digits[word >> (18 - 6 * position) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

extension TSIGKey {
    /// A new key with a secret from the system's random source, as long as the algorithm's code.
    public static func generate(name: String, algorithm: TSIGAlgorithm) -> TSIGKey? {
        var random = SystemRandomNumberGenerator()
        return TSIGKey(
            name: name, algorithm: algorithm,
            secret: (0..<algorithm.length).map { _ in UInt8.random(in: 0...255, using: &random) })
    }

    /// The line in the format of `TSIGKeyring.parse`. It contains the secret.
    public var line: String { "\(text) \(algorithm.rawValue) \(Base64.encode(secret))" }
}
