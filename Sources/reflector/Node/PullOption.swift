import ArgumentParser
import Foundation
import RelayService

/// Reads `--pull`. No message repeats a URL: there may be a password in it.
enum PullOption {
    /// - Parameter text: `STREAM=URL`, or `STREAM=@FILE` with the URL on the file's only line, so that it shows in no list of
    ///   processes.
    static func read(_ text: String) throws -> IngestConfiguration.Pull {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        var url = parts.count == 2 ? String(parts[1]) : ""
        if url.first == "@" {
            let path = String(url.dropFirst())
            guard let content = try? String(contentsOfFile: path, encoding: .utf8) else {
                throw ValidationError("--pull: cannot read the URL from '\(path)'")
            }
            url = content.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        guard let pull = IngestConfiguration.Pull("\(parts[0])=\(url)") else {
            throw ValidationError(
                "--pull \(parts[0])=…: not STREAM=URL with an http or https URL, as live/sport=http://encoder/sport.ts")
        }
        return pull
    }
}
