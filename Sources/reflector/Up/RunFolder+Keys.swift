import Foundation
import LocalNetwork
import RelayService

extension RunFolder {
    /// The keys of this network: those of an earlier run with the same folder, otherwise new ones.
    func loadOrMakeKeys() throws(KeyFile.Invalid) -> KeyFile {
        if FileManager.default.fileExists(atPath: keys) { return try KeyFile.load(keys) }
        return try KeyPair.make(keys, streams: [.below(nil)])
    }
}
