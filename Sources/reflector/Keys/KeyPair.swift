import Glibc
import RelayService

/// A new key file and the operator's file beside it.
enum KeyPair {
    /// Writes both, or neither.
    @discardableResult
    static func make(_ path: String, streams: [StreamKeys.Pattern]) throws(KeyFile.Invalid) -> KeyFile {
        let secret = OperatorKeyFile.generate()
        let keys = KeyFile.generate(streams: streams, operators: secret)
        try keys.write(to: path)
        do throws(KeyFile.Invalid) {
            try secret.write(to: path + OperatorKeyFile.suffix)
        } catch {
            unlink(path)
            throw error
        }
        return keys
    }
}
