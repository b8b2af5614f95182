import Glibc
import IdentityKeys
import NodeIdentity
import SecretFiles

/// The file that keeps a node's revocation list across restarts, in the format of `ZONE.revocations`. Without it, a node
/// that starts while no name server answers would let in whoever was revoked.
struct SavedRevocations: Sendable {
    private let directory: String
    private var path: String { directory + "/revocations" }

    init(directory: String) { self.directory = directory }

    /// Reads the list. A missing file is not a problem; a list that does not count is one, with its remedy.
    func load(zone: String, operators: CertificateAuthorities) -> (list: RevocationList?, problem: String?) {
        let text: String
        do throws(PrivateFile.Failure) {
            text = try PrivateFile.read(path, bytesMax: RevocationText.bytesMax)
        } catch .system(call: "open", path: path, code: ENOENT) {
            return (nil, nil)
        } catch {
            return (nil, error.description)
        }
        do throws(RevocationText.Problems) {
            let list = try RevocationText.parse(Array(text.utf8), zone: zone).list
            guard operators.accepts(list, zone: zone, LibcryptoIdentityCrypto()) else {
                return (nil, "\(path): not signed by an operator of this node; the name servers have a newer list")
            }
            return (list, nil)
        } catch {
            let first = error.problems.first.map { ":\($0.line):\($0.column): \($0.text)" } ?? ": damaged"
            return (nil, path + first)
        }
    }

    /// Replaces the file atomically. Returns why that failed.
    func save(_ list: RevocationList) -> String? {
        do throws(StateFolder.Unusable) {
            try StateFolder.make(directory)
        } catch {
            return error.description
        }
        do throws(PrivateFile.Failure) {
            try PrivateFile.replace(path, bytes: Array(RevocationText.write(list).utf8))
        } catch {
            return error.description
        }
        return nil
    }
}
