import NodeIdentity
import ReflectorModel

/// Requests for certificates, one a line, so that those of many nodes can be signed at once:
/// `node-request NAME HEX-PUBLIC-KEY HEX-SIGNATURE`.
public enum RequestFile {
    /// Largest file in bytes.
    public static let bytesMax = 1 << 20
    public static let keyword = "node-request"

    /// The line of a request, without its newline.
    public static func line(_ request: NodeRequest) -> String {
        "\(keyword) \(request.name) \(request.publicKey) \(request.signature)"
    }

    /// Reads a file, and checks that each request is proven.
    public static func load(_ path: String) throws(IdentityFileError) -> [NodeRequest] {
        try parse(try IdentityFileError.read(path, bytesMax: bytesMax, isSigned: true), path: path)
    }

    /// Reads the content of a file, and checks that each request is proven. Errors name `path`.
    public static func parse(_ bytes: [UInt8], path: String) throws(IdentityFileError) -> [NodeRequest] {
        var lines = IdentityLines(bytes, path: path)
        var requests: [NodeRequest] = []
        for line in lines.lines {
            guard lines.matches(line, keyword: keyword, form: "\(keyword) NAME HEX-PUBLIC-KEY HEX-SIGNATURE") else {
                continue
            }
            let (name, key, proof) = (line.words[1], line.words[2], line.words[3])
            if !ReflectorName.isHost(name.text) {
                lines.complain(line.number, name.column, "a name is labels of a-z, 0-9, - and _ joined by dots")
            }
            let publicKey = Hex.bytes(key.text).flatMap { VerificationKey($0) }
            if publicKey == nil { lines.complain(line.number, key.column, "a public key is 64 hexadecimal digits") }
            let signature = Hex.bytes(proof.text).flatMap { Signature($0) }
            if signature == nil { lines.complain(line.number, proof.column, "a signature is 128 hexadecimal digits") }
            guard let publicKey, let signature,
                let request = NodeRequest(name: name.text, publicKey: publicKey, signature: signature)
            else { continue }
            guard request.isProven(LibcryptoIdentityCrypto()) else {
                lines.complain(
                    line.number, proof.column,
                    "not signed by the key in it: was the line changed? print it again with `reflector keys request`")
                continue
            }
            requests.append(request)
        }
        if requests.isEmpty, lines.problems.isEmpty {
            lines.complain(1, 1, "no request; `reflector keys request NAME --identity DIR` prints one on the node")
        }
        try lines.finish()
        return requests
    }
}
