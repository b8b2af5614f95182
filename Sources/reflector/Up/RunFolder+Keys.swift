import Foundation
import LocalNetwork
import RelayService

extension RunFolder {
    /// The keys of this network: those of an earlier run with the same folder, otherwise new ones.
    func loadOrMakeKeys() throws(KeyFile.Invalid) -> KeyFile {
        if FileManager.default.fileExists(atPath: keys) { return try KeyFile.load(keys) }
        let made = KeyFile.generate(streams: [.below(nil)])
        try made.write(to: keys)
        return made
    }
}
