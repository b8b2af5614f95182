import IdentityKeys
import NodeIdentity

/// Signs requests for overrides with an operator's key. The signature is sent in a header, as `KEY-ID:SIGNATURE`.
public struct OverrideSigner {
    private let key: LibcryptoIdentityCrypto.SigningKey

    /// - Parameter key: an operator's.
    public init(_ key: LibcryptoIdentityCrypto.SigningKey) { self.key = key }

    /// The signature of a request body, for the header.
    public func signature(of body: [UInt8]) throws(IdentityCryptoError) -> String {
        let crypto = LibcryptoIdentityCrypto()
        let id = OperatorKeyID(of: crypto.publicKey(of: key), crypto)
        let signature = try crypto.sign(OverrideSignature.request(body), with: key)
        return SignatureHeader.text(OverrideSignature.bytes(id), signature)
    }
}

/// Signs the replies of a name server with its own key. The header has its certificate, too: `CERTIFICATE:SIGNATURE`.
struct OverrideReplySigner {
    let credential: NodeCredential<LibcryptoIdentityCrypto>

    /// The signature of a reply to this request, for the header.
    func signature(of reply: [UInt8], to request: [UInt8]) throws(IdentityCryptoError) -> String {
        let crypto = LibcryptoIdentityCrypto()
        let signature = try crypto.sign(OverrideSignature.reply(reply, to: request), with: credential.key)
        return SignatureHeader.text(credential.certificate.encoded, signature)
    }
}

/// What is signed: the purpose comes first, so that a signature is valid for nothing else.
enum OverrideSignature {
    static func request(_ body: [UInt8]) -> [UInt8] {
        SignedText.bytes(context: "reflector override request 3", body)
    }

    /// The digest of the request stands for everything in it: zone, server, nonce and what was asked. So nobody can
    /// present the reply to another request, or of another server.
    static func reply(_ body: [UInt8], to request: [UInt8]) -> [UInt8] {
        let digest = LibcryptoIdentityCrypto().digest(of: request)
        return SignedText.bytes(context: "reflector override reply 3", digest.bytes + body)
    }

    /// An operator's key id as bytes.
    static func bytes(_ id: OperatorKeyID) -> [UInt8] { withUnsafeBytes(of: id.rawValue.bigEndian) { Array($0) } }

    /// Nil unless there are 8 bytes.
    static func id(_ bytes: [UInt8]) -> OperatorKeyID? {
        guard bytes.count == 8 else { return nil }
        return OperatorKeyID(bytes.reduce(0) { $0 << 8 | UInt64($1) })
    }
}
