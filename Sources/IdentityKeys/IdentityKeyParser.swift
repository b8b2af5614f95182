import NodeIdentity
import ReflectorModel

/// Reads the lines of an identity's key file from bytes, without a string that would leave copies of the key behind.
struct IdentityKeyParser: ~Copyable {
    /// The one line of a file.
    struct Line: ~Copyable {
        let owner: IdentityKeyFile.Owner
        let name: String
        private let seed: SecretMemory

        init(owner: IdentityKeyFile.Owner, name: String, seed: consuming SecretMemory) {
            self.owner = owner
            self.name = name
            self.seed = seed
        }

        borrowing func makeKey() throws(IdentityCryptoError) -> Ed25519PrivateKey {
            var made: Result<Void, IdentityCryptoError> = .success(())
            var key: Ed25519PrivateKey?
            seed.withBytes { bytes in
                do throws(IdentityCryptoError) {
                    key = try Ed25519PrivateKey(seed: bytes)
                } catch {
                    made = .failure(error)
                }
            }
            try made.get()
            guard let key = key.take() else { throw .library(operation: "read a key", code: 0) }
            return key
        }
    }

    private let path: String
    private var found: Line?
    private var failure: IdentityKeyFile.Failure?

    init(path: String) { self.path = path }

    /// Reads a whole file. The first problem wins.
    mutating func read(_ bytes: UnsafeRawBufferPointer) {
        var number = 0
        var start = 0
        while start < bytes.count, failure == nil {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            number += 1
            read(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), line: number)
            if end == bytes.count, failure == nil {
                complain(number, end - start + 1, "the last line has no newline: was the file cut off? add one")
            }
            start = end + 1
        }
    }

    mutating func finish() throws(IdentityKeyFile.Failure) -> Line {
        if let failure { throw failure }
        guard let line = found.take() else { throw .noKey(path: path) }
        return line
    }

    private mutating func read(_ content: UnsafeRawBufferPointer, line number: Int) {
        let words = Self.words(content)
        guard let first = words.first else { return }
        let form = "operator-private NAME 64-HEX-DIGITS"
        guard let owner = IdentityKeyFile.Owner(rawValue: Self.text(content, first)) else {
            return complain(
                number, first.lowerBound + 1, "unknown word; a line begins with `operator-private` or `node-private`")
        }
        guard found == nil else {
            return complain(number, first.lowerBound + 1, "a second key; a file has exactly one")
        }
        guard words.count == 3 else {
            let column = words.count < 3 ? content.count + 1 : words[3].lowerBound + 1
            return complain(number, column, "a line has three words: write `\(form)`, or `node-private …`")
        }
        let name = Self.text(content, words[1])
        guard ReflectorName.isHost(name) else {
            return complain(number, words[1].lowerBound + 1, "a name is labels of a-z, 0-9, - and _ joined by dots")
        }
        guard let seed = Self.seed(UnsafeRawBufferPointer(rebasing: content[words[2]])) else {
            return complain(number, words[2].lowerBound + 1, "a key is \(2 * KeyPointer.length) hexadecimal digits")
        }
        found = Line(owner: owner, name: name, seed: seed)
    }

    private mutating func complain(_ line: Int, _ column: Int, _ text: String) {
        failure = .syntax(path: path, line: line, column: column, text: text)
    }

    private static func words(_ content: UnsafeRawBufferPointer) -> [Range<Int>] {
        var words: [Range<Int>] = []
        var start: Int?
        var end = 0
        scan: for byte in content {
            switch byte {
            case UInt8(ascii: "#"), UInt8(ascii: ";"): break scan
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
                if let begin = start { words.append(begin..<end) }
                start = nil
            default: if start == nil { start = end }
            }
            end += 1
        }
        if let start { words.append(start..<end) }
        return words
    }

    /// Not for the word that holds the key.
    private static func text(_ content: UnsafeRawBufferPointer, _ range: Range<Int>) -> String {
        String(decoding: content[range], as: UTF8.self)
    }

    private static func seed(_ digits: UnsafeRawBufferPointer) -> SecretMemory? {
        guard digits.count == 2 * KeyPointer.length else { return nil }
        var memory = SecretMemory(count: KeyPointer.length)
        let isHex = memory.withMutableBytes { bytes in
            for index in 0..<bytes.count {
                guard let high = value(digits[2 * index]), let low = value(digits[2 * index + 1]) else { return false }
                bytes[index] = high << 4 | low
            }
            return true
        }
        guard isHex else { return nil }
        return memory
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
