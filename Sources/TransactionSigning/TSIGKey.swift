import CCrypto

/// A secret that two name servers share, with the name that identifies it (RFC 8945 §4.2).
public struct TSIGKey: Sendable, Equatable {
    /// In wire form, lower case.
    public let name: [UInt8]
    public let algorithm: TSIGAlgorithm
    let secret: [UInt8]

    /// Nil if the name is not a domain name of plain labels, or the secret is empty.
    /// - Parameter name: with or without the final dot.
    public init?(name: String, algorithm: TSIGAlgorithm, secret: [UInt8]) {
        guard let wire = TSIGName.wire(name), wire.count > 1, !secret.isEmpty else { return nil }
        self.name = wire
        self.algorithm = algorithm
        self.secret = secret
    }

    /// The name as text, without the final dot.
    public var text: String { TSIGName.text(name) }

    /// The code over the concatenated parts of a message; nil if libcrypto fails.
    func code(of pieces: [[UInt8]]) -> [UInt8]? {
        guard let context = reflector_hmac_new(algorithm.digest, secret, secret.count) else { return nil }
        defer { EVP_MAC_CTX_free(context) }
        for piece in pieces where EVP_MAC_update(context, piece, piece.count) != 1 { return nil }
        var code = [UInt8](repeating: 0, count: algorithm.length)
        var length = 0
        guard EVP_MAC_final(context, &code, &length, code.count) == 1, length == code.count else { return nil }
        return code
    }

    /// Compares in constant time, so that timing does not reveal where two codes differ.
    static func isEqual(_ a: some Collection<UInt8>, _ b: some Collection<UInt8>) -> Bool {
        let (a, b) = (Array(a), Array(b))
        return a.count == b.count && CRYPTO_memcmp(a, b, a.count) == 0
    }
}

/// Conversion of domain names of plain labels between text and wire form, for key names.
enum TSIGName {
    static let lengthMax = 255

    static func wire(_ text: String) -> [UInt8]? {
        var labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        if labels.last?.isEmpty == true { labels.removeLast() }
        var result: [UInt8] = []
        for label in labels {
            guard (1...63).contains(label.count), label.allSatisfy({ $0 > 32 && $0 < 127 && $0 != 92 }) else {
                return nil
            }
            result.append(UInt8(label.count))
            result += label.map(lowercased)
        }
        result.append(0)
        return result.count <= lengthMax ? result : nil
    }

    static func text(_ wire: [UInt8]) -> String {
        var labels: [String] = []
        var at = 0
        while at < wire.count, wire[at] != 0, at + Int(wire[at]) < wire.count {
            labels.append(String(decoding: wire[(at + 1)...(at + Int(wire[at]))], as: UTF8.self))
            at += 1 + Int(wire[at])
        }
        return labels.joined(separator: ".")
    }

    static func lowercased(_ byte: UInt8) -> UInt8 { byte >= 65 && byte <= 90 ? byte | 32 : byte }
}
