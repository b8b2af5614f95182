import Foundation
import NodeIdentity
import ReflectorModel
import SecretFiles
import Testing

@testable import IdentityKeys

@Suite("Private keys with libcrypto, and their files")
struct IdentityKeysTests {
    private func hex(_ text: String) -> [UInt8] { DocumentedIdentityVectors.bytes(hex: text) }

    private func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { String(format: "%02x", $0) }.joined()
    }

    @Test("Ed25519 has the values of RFC 8032 §7.1, and refuses every other message, key and signature")
    func signatures() throws {
        let seed = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
        let key = try seed.withUnsafeBytes { LibcryptoIdentityCrypto.SigningKey(try Ed25519PrivateKey(seed: $0)) }
        let crypto = LibcryptoIdentityCrypto()
        let publicKey = crypto.publicKey(of: key)
        #expect("\(publicKey)" == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
        let signature = try crypto.sign([0x72], with: key)
        #expect(
            "\(signature)"
                == "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")
        #expect(crypto.isValid(signature, of: [0x72], by: publicKey))
        #expect(!crypto.isValid(signature, of: [0x73], by: publicKey))
        #expect(!crypto.isValid(signature, of: [], by: publicKey))
        for index in signature.bytes.indices {
            var bytes = signature.bytes
            bytes[index] ^= 0x10
            #expect(!crypto.isValid(try #require(Signature(bytes)), of: [0x72], by: publicKey))
        }
        for index in publicKey.bytes.indices {
            var bytes = publicKey.bytes
            bytes[index] ^= 0x10
            #expect(!crypto.isValid(signature, of: [0x72], by: try #require(VerificationKey(bytes))))
        }
    }

    @Test("X25519 has the values of RFC 7748 §5.2, and both ends agree")
    func agreement() throws {
        let crypto = LibcryptoIdentityCrypto()
        let vectors = [
            (
                "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
                "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
                "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"
            ),
            (
                "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
                "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
                "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"
            ),
        ]
        for (scalar, point, result) in vectors {
            let key = try FixedKeysCrypto.agreementKey(hex(scalar))
            let secret = try crypto.agree(key, with: try #require(AgreementPublicKey(hex(point))))
            #expect(secret.withBytes { hex($0) } == result)
        }
        let one = try crypto.makeAgreementKey()
        let two = try crypto.makeAgreementKey()
        let first = try crypto.agree(one, with: crypto.publicKey(of: two)).withBytes { Array($0) }
        #expect(try crypto.agree(two, with: crypto.publicKey(of: one)).withBytes { Array($0) } == first)
        #expect(throws: IdentityCryptoError.keyLength(bytes: 31)) {
            _ = try FixedKeysCrypto.agreementKey(FixedKeysCrypto.octets(1, 31))
        }
    }

    @Test("Keys of low order give no secret (RFC 7748 §6.1)")
    func lowOrder() throws {
        let crypto = LibcryptoIdentityCrypto()
        let key = try crypto.makeAgreementKey()
        // The points of order 1, 2, 4 and 8 on the curve and its twist, in their reduced forms.
        let points = [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ]
        for point in points {
            let peer = try #require(AgreementPublicKey(hex(point)))
            #expect(throws: IdentityCryptoError.lowOrderKey) { _ = try crypto.agree(key, with: peer) }
        }
    }

    @Test("HKDF-SHA-256 has the values of RFC 5869, appendix A.1, and SHA-256 those of FIPS 180-4")
    func derivation() throws {
        let material = SecretMemory.copy(of: [UInt8](repeating: 0x0b, count: 22))
        let derived = try KeyDerivation.hkdf(
            material, salt: [UInt8](0...12), info: [UInt8](0xf0...0xf9), count: 42)
        #expect(
            hex(derived.withBytes { Array($0) })
                == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")
        #expect(
            "\(KeyDerivation.sha256(Array("abc".utf8)))"
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test("Seals open only under their key, with their digest, and unchanged; all changes of one bit are noticed")
    func seals() throws {
        let crypto = LibcryptoIdentityCrypto()
        let secret = try crypto.makeSecret()
        let digest = crypto.digest(of: [1])
        for text in [[UInt8](), [1, 2, 3], [UInt8](repeating: 7, count: 700)] {
            let sealed = try crypto.seal(text, associated: digest, under: secret)
            #expect(sealed.count == text.count + 16)
            #expect(crypto.open(sealed, associated: digest, under: secret) == text)
            #expect(crypto.open(sealed, associated: crypto.digest(of: [2]), under: secret) == nil)
            #expect(crypto.open(sealed, associated: digest, under: try crypto.makeSecret()) == nil)
            for index in sealed.indices {
                var changed = sealed
                changed[index] ^= 1
                #expect(crypto.open(changed, associated: digest, under: secret) == nil)
            }
        }
        #expect(crypto.open([1, 2, 3], associated: digest, under: secret) == nil)
    }

    @Test("A whole handshake works with libcrypto, and every certificate with one changed bit is invalid")
    func realHandshake() throws {
        let crypto = LibcryptoIdentityCrypto()
        let operatorKey = LibcryptoIdentityCrypto.SigningKey(try Ed25519PrivateKey())
        let authorities = try CertificateAuthorities([crypto.publicKey(of: operatorKey)], crypto)
        func credential(
            _ name: String, _ role: CertifiedRole, _ region: CertifiedRegion
        ) throws -> NodeCredential<LibcryptoIdentityCrypto> {
            let key = LibcryptoIdentityCrypto.SigningKey(try Ed25519PrivateKey())
            let content = try CertificateContent(
                issuer: authorities.ids[0], serial: 1, notBefore: Fixture.notBefore, notAfter: Fixture.notAfter,
                role: role, region: region, zone: Fixture.zone, name: name, publicKey: crypto.publicKey(of: key))
            let certificate = try NodeCertificate(signing: content, with: operatorKey, crypto)
            return try #require(NodeCredential(certificate: certificate, key: key, crypto))
        }
        let edge = try credential("edge-1", .edge, .edge(RegionID(5)))
        let set = try credential("set-1", .set, .none)
        let nonce = try #require(Nonce(FixedKeysCrypto.octets(0, 16)))
        var pair = HandshakePair(
            child: try ChildHandshake(crypto, credential: edge, parent: set.node, nonce: nonce, payload: [1]),
            parent: ParentHandshake(crypto, credential: set),
            trust: PeerTrust(authorities: authorities, zone: Fixture.zone))
        let (opened, parent) = try pair.answer(try pair.child.receive(try pair.cookie()))
        let child = try pair.receive(opened)
        #expect(
            child.secrets.childToParent.withBytes { Array($0) } == parent.secrets.childToParent.withBytes { Array($0) })

        let bytes = edge.certificate.encoded
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1
            guard let certificate = try? NodeCertificate(decoding: changed) else { continue }
            let validity = authorities.validate(
                certificate, at: Fixture.now, zone: Fixture.zone, revocations: nil, crypto)
            #expect(validity != .valid, "byte \(index)")
        }
    }
}

@Suite("Files of private keys")
struct IdentityKeyFileTests {
    private let seed = String(repeating: "4c", count: 31) + "fB"

    private func parse(_ text: String) throws -> (owner: IdentityKeyFile.Owner, name: String, key: VerificationKey) {
        try Array(text.utf8).withUnsafeBytes { bytes in
            let file = try IdentityKeyFile(parsing: bytes, path: "k")
            return (file.owner, file.name, file.key.publicKey)
        }
    }

    @Test("A file is one line with the owner's kind, name and key")
    func form() throws {
        let node = try parse("# made today\n\nnode-private edge-1 \(seed) ; comment\r\n")
        #expect(node.owner == .node && node.name == "edge-1")
        let other = try parse("operator-private alice \(seed)\n")
        #expect(other.owner == .operator && other.name == "alice" && other.key == node.key)
    }

    @Test("Each mistake is reported with its line and column, and no message contains the key")
    func mistakes() {
        let mistakes: [(String, Int, Int)] = [
            ("node-secret edge-1 \(seed)\n", 1, 1),
            ("\n node-private Edge \(seed)\n", 2, 15),
            ("node-private edge-1\n", 1, 20),
            ("node-private edge-1 \(seed) x\n", 1, 86),
            ("node-private edge-1 \(seed.dropLast())\n", 1, 21),
            ("node-private edge-1 \(seed.dropLast())g\n", 1, 21),
            ("node-private edge-1 \(seed)\nnode-private edge-1 \(seed)\n", 2, 1),
            ("node-private edge-1 \(seed)", 1, 85),
        ]
        for (text, line, column) in mistakes {
            do {
                _ = try parse(text)
                Issue.record("accepted: \(text)")
            } catch let error as IdentityKeyFile.Failure {
                #expect(error.description.hasPrefix("k:\(line):\(column): "), "\(error)")
                #expect(!error.description.contains("4c4c"))
            } catch {
                Issue.record("\(error)")
            }
        }
        #expect(throws: IdentityKeyFile.Failure.noKey(path: "k")) { try parse("# nothing\n") }
        #expect(throws: IdentityKeyFile.Failure.noKey(path: "k")) { try parse("") }
    }

    @Test("A written file is read back, has mode 0600, is never overwritten, and is refused if others can read it")
    func files() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("identity-\(UUID()).key").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        // `#require` can't hold a value that can't be copied.
        guard let file = IdentityKeyFile(owner: .node, name: "edge-1", key: try Ed25519PrivateKey()) else {
            Issue.record("edge-1 is no name")
            return
        }
        try file.write(to: path)
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        let read = try IdentityKeyFile(loading: path)
        #expect(read.owner == .node && read.name == "edge-1" && read.key.publicKey == file.key.publicKey)
        #expect(throws: IdentityKeyFile.Failure.self) { try file.write(to: path) }
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
        #expect(throws: IdentityKeyFile.Failure.file(.openToOthers(path: path, mode: 0o640))) {
            _ = try IdentityKeyFile(loading: path)
        }
    }

    @Test("A private file is read as text or as bytes, up to its bound; bytes that are no text are refused as text")
    func privateFiles() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("private-\(UUID())").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try PrivateFile.create(path, text: "")
        #expect(try PrivateFile.read(path, bytesMax: 0) == "")
        try PrivateFile.replace(path, bytes: Array("naïve\n".utf8))
        #expect(try PrivateFile.read(path, bytesMax: 7) == "naïve\n")
        #expect(try PrivateFile.withBytes(path, bytesMax: 7) { $0.count } == 7)
        #expect(throws: PrivateFile.Failure.tooLarge(path: path, bytes: 7, bytesMax: 6)) {
            try PrivateFile.read(path, bytesMax: 6)
        }
        try PrivateFile.replace(path, bytes: [0xff, 0xfe])
        #expect(throws: PrivateFile.Failure.notText(path: path)) { try PrivateFile.read(path, bytesMax: 7) }
        #expect(try PrivateFile.withBytes(path, bytesMax: 7) { Array($0) } == [0xff, 0xfe])
    }
}
