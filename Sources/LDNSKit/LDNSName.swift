/// Conversion of domain names between text and wire form (RFC 1035 §3.1, §5.1). This is our own code, since libldns
/// writes names with quotes, `$` and `@` in a form that other servers read differently.
public enum LDNSName {
    /// Maximum length of a name in wire form, including the root's zero.
    public static let lengthMax = 255

    /// Uncompressed wire form of a name in presentation form. Case is kept. Throws for empty or overlong labels, names
    /// over 255 bytes and bad escapes.
    ///
    /// - Parameter origin: wire form of the name that completes a name without a final dot; the root by default.
    public static func wire(_ text: String, origin: [UInt8] = [0]) throws(LDNSError) -> [UInt8] {
        guard !text.isEmpty else { throw LDNSError("an empty name", input: text) }
        if text == "." { return [0] }
        var name: [UInt8] = [0]
        name.reserveCapacity(text.utf8.count + 1 + origin.count)
        var label = 0
        var isComplete = false
        var bytes = text.utf8.makeIterator()
        while let byte = bytes.next() {
            if isComplete {
                label = name.count
                name.append(0)
                isComplete = false
            }
            if byte == UInt8(ascii: ".") {
                let count = name.count - label - 1
                guard count > 0 else {
                    throw LDNSError("an empty label (two dots, or a dot at the front)", input: text)
                }
                name[label] = UInt8(count)
                isComplete = true
                continue
            }
            var value = byte
            if byte == UInt8(ascii: "\\") {
                guard let escaped = escape(&bytes) else {
                    throw LDNSError("a bad escape (\\DDD must be at most \\255)", input: text)
                }
                value = escaped
            }
            name.append(value)
            guard name.count - label <= 64 else { throw LDNSError("a label over 63 bytes", input: text) }
            // Too long whatever the origin.
            guard name.count <= lengthMax else { throw LDNSError("a name over 255 bytes", input: text) }
        }
        if isComplete {
            name.append(0)
        } else {
            name[label] = UInt8(name.count - label - 1)
            name += origin
        }
        guard name.count <= lengthMax else {
            throw LDNSError(
                origin.count > 1 && !isComplete
                    ? "a name over 255 bytes, including the zone's name" : "a name over 255 bytes",
                input: text)
        }
        return name
    }

    /// Decodes an escape after its backslash: one literal byte, or three decimal digits.
    public static func escape(_ bytes: inout some IteratorProtocol<UInt8>) -> UInt8? {
        guard let first = bytes.next() else { return nil }
        guard first >= 48, first <= 57 else { return first }
        var value = Int(first - 48)
        for _ in 0..<2 {
            guard let next = bytes.next(), next >= 48, next <= 57 else { return nil }
            value = value * 10 + Int(next - 48)
        }
        return UInt8(exactly: value)
    }

    /// Presentation form of an uncompressed wire name, without the final dot; "" for the root. Nil for bytes that are
    /// not a name. Special characters of master files are escaped, so that any server reads the same name.
    public static func text(_ wire: [UInt8]) -> String? {
        guard wire.count <= lengthMax else { return nil }
        var text: [UInt8] = []
        text.reserveCapacity(wire.count)
        var at = 0
        while at < wire.count {
            let count = Int(wire[at])
            if count == 0 { return at == wire.count - 1 ? String(decoding: text, as: UTF8.self) : nil }
            guard count < 64, at + 1 + count < wire.count else { return nil }
            if at > 0 { text.append(UInt8(ascii: ".")) }
            for byte in wire[(at + 1)..<(at + 1 + count)] { append(byte, to: &text) }
            at += 1 + count
        }
        return nil
    }

    private static func append(_ byte: UInt8, to text: inout [UInt8]) {
        switch byte {
        case UInt8(ascii: "."), UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: ";"), UInt8(ascii: "("),
            UInt8(ascii: ")"), UInt8(ascii: "@"), UInt8(ascii: "$"):
            text.append(UInt8(ascii: "\\"))
            text.append(byte)
        case 0x21...0x7e:
            text.append(byte)
        default:
            text.append(UInt8(ascii: "\\"))
            text.append(48 + byte / 100)
            text.append(48 + byte / 10 % 10)
            text.append(48 + byte % 10)
        }
    }
}
