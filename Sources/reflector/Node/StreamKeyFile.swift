import ArgumentParser
import Logging
import RelayService

/// An entrypoint's file with the keys of encoders.
struct StreamKeyFile {
    let path: String

    /// Prints every problem, and ends the command with exit status 1 if there is one.
    func load() throws -> StreamKeys {
        do throws(KeyFile.Invalid) {
            return try KeyFile.load(path).streamKeys
        } catch {
            StandardError.print("reflector: \(error)")
            throw ExitCode(1)
        }
    }

    /// Loads the file again. If it has problems, the previous keys stay in force.
    func reload(_ logger: Logger, _ replace: (StreamKeys) -> Void) {
        do throws(KeyFile.Invalid) {
            replace(try KeyFile.load(path).streamKeys)
            logger.info("keys reloaded", metadata: ["path": "\(path)"])
        } catch {
            logger.error("keys refused, the previous ones stay in force", metadata: ["problem": "\(error)"])
        }
    }
}
