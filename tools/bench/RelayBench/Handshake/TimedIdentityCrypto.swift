import Glibc
import IdentityKeys
import NodeIdentity

/// libcrypto's cryptography of identities, with the CPU time of each step at each end of a handshake.
struct TimedIdentityCrypto: IdentityCrypto {
    typealias SigningKey = LibcryptoIdentityCrypto.SigningKey
    typealias AgreementKey = LibcryptoIdentityCrypto.AgreementKey
    typealias Secret = LibcryptoIdentityCrypto.Secret

    enum Step: Int, CaseIterable {
        case key, agreement, signature, verification, derivation, sealing, digest, mac

        var text: String {
            switch self {
            case .key: "a fresh X25519 key"
            case .agreement: "X25519 agreement"
            case .signature: "Ed25519 signature"
            case .verification: "Ed25519 verification"
            case .derivation: "HKDF"
            case .sealing: "AES-256-GCM, either way"
            case .digest: "SHA-256"
            case .mac: "HMAC of a cookie"
            }
        }
    }

    enum End: Int { case child, parent }

    /// Time and number of calls, by end and step.
    final class Ledger {
        var end = End.child
        /// Off while the whole is measured: reading the clock costs more than a short step.
        var isOn = false
        private var sums = Ledger.zeros
        private var blocks: [[[(nanoseconds: Double, calls: Double)]]] = []

        private static var zeros: [[(nanoseconds: UInt64, calls: Int)]] {
            Array(repeating: Array(repeating: (0, 0), count: Step.allCases.count), count: 2)
        }

        func clear() { (sums, blocks) = (Self.zeros, []) }

        /// Counts what has been added since the last call as one block.
        func endBlock(handshakes: Int) {
            blocks.append(
                sums.map {
                    $0.map { (Double($0.nanoseconds) / Double(handshakes), Double($0.calls) / Double(handshakes)) }
                })
            sums = Self.zeros
        }

        /// By end and step: the median block's time of one handshake, and the calls.
        var steps: [[(nanoseconds: Double, calls: Double)]] {
            (0..<2).map { end in
                Step.allCases.indices.map { step in
                    let times = blocks.map { $0[end][step].nanoseconds }.sorted()
                    return (times[times.count / 2], blocks[0][end][step].calls)
                }
            }
        }

        fileprivate func add(_ step: Step, since start: UInt64) {
            guard isOn else { return }
            sums[end.rawValue][step.rawValue].nanoseconds += Self.time() - start
            sums[end.rawValue][step.rawValue].calls += 1
        }

        fileprivate func start() -> UInt64 { isOn ? Self.time() : 0 }

        /// CPU time of this thread.
        static func time() -> UInt64 {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        }
    }

    let ledger: Ledger
    private let crypto = LibcryptoIdentityCrypto()

    init(_ ledger: Ledger) { self.ledger = ledger }

    func digest(of bytes: [UInt8]) -> Digest {
        let start = ledger.start()
        defer { ledger.add(.digest, since: start) }
        return crypto.digest(of: bytes)
    }

    func publicKey(of key: SigningKey) -> VerificationKey { crypto.publicKey(of: key) }

    func sign(_ message: [UInt8], with key: SigningKey) throws(IdentityCryptoError) -> Signature {
        let start = ledger.start()
        defer { ledger.add(.signature, since: start) }
        return try crypto.sign(message, with: key)
    }

    func isValid(_ signature: Signature, of message: [UInt8], by key: VerificationKey) -> Bool {
        let start = ledger.start()
        defer { ledger.add(.verification, since: start) }
        return crypto.isValid(signature, of: message, by: key)
    }

    func makeAgreementKey() throws(IdentityCryptoError) -> AgreementKey {
        let start = ledger.start()
        defer { ledger.add(.key, since: start) }
        return try crypto.makeAgreementKey()
    }

    func publicKey(of key: AgreementKey) -> AgreementPublicKey { crypto.publicKey(of: key) }

    func agree(_ key: AgreementKey, with peer: AgreementPublicKey) throws(IdentityCryptoError) -> Secret {
        let start = ledger.start()
        defer { ledger.add(.agreement, since: start) }
        return try crypto.agree(key, with: peer)
    }

    func makeSecret() throws(IdentityCryptoError) -> Secret { try crypto.makeSecret() }

    func derive(from secrets: [Secret], salt: Digest, info: String) throws(IdentityCryptoError) -> Secret {
        let start = ledger.start()
        defer { ledger.add(.derivation, since: start) }
        return try crypto.derive(from: secrets, salt: salt, info: info)
    }

    func mac(of bytes: [UInt8], under secret: Secret) throws(IdentityCryptoError) -> CookieMAC {
        let start = ledger.start()
        defer { ledger.add(.mac, since: start) }
        return try crypto.mac(of: bytes, under: secret)
    }

    func seal(_ plaintext: [UInt8], associated: Digest, under secret: Secret) throws(IdentityCryptoError) -> [UInt8] {
        let start = ledger.start()
        defer { ledger.add(.sealing, since: start) }
        return try crypto.seal(plaintext, associated: associated, under: secret)
    }

    func open(_ sealed: [UInt8], associated: Digest, under secret: Secret) -> [UInt8]? {
        let start = ledger.start()
        defer { ledger.add(.sealing, since: start) }
        return crypto.open(sealed, associated: associated, under: secret)
    }
}
