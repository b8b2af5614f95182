import ArgumentParser
import Glibc
import RelayService

/// The secrets that a name server needs of a key file: what probes are authenticated with, and what overrides are
/// signed with.
enum NameServerKeys {
    struct Keys {
        var probes: [(phase: UInt8, key: [UInt8])]
        /// The operator's keys, where the file has some; else the network's.
        var overrides: [(phase: UInt8, key: [UInt8])]
    }

    static func load(_ path: String) throws -> Keys {
        do throws(KeyFile.Invalid) {
            let file = try KeyFile.load(path)
            let network = file.networkKeys.map { ($0.phase, $0.bytes) }
            let operators = file.operatorKeys.map { ($0.phase, $0.bytes) }
            return Keys(probes: network, overrides: operators.isEmpty ? network : operators)
        } catch {
            StandardError.print("reflector: \(error)")
            throw ExitCode(1)
        }
    }
}

/// Unix time, for commands.
enum WallTime {
    static var seconds: Int64 { Int64(time(nil)) }
}
