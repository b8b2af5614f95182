import ArgumentParser
import RelayService
import SecretFiles

/// `--pull STREAM=URL`, or `STREAM=@FILE` if the URL holds a secret that `ps` should not show.
enum PullArgument {
    private static let bytesMax = 8_192

    static func parse(_ text: String) throws -> IngestConfiguration.Pull {
        guard let equals = text.firstIndex(of: "=") else { throw wrong(text) }
        let value = text[text.index(after: equals)...]
        guard value.first == "@" else {
            guard let pull = IngestConfiguration.Pull(text) else { throw wrong(text) }
            return pull
        }
        let path = String(value.dropFirst())
        let content: String
        do throws(PrivateFile.Failure) {
            content = try PrivateFile.read(path, bytesMax: bytesMax)
        } catch {
            throw ValidationError("--pull: \(error)")
        }
        let lines = content.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("#") }
        guard lines.count == 1, let line = lines.first,
            let pull = IngestConfiguration.Pull(String(text[...equals]) + line)
        else {
            throw ValidationError("--pull: \(path) does not hold one line with a URL, e.g. http://encoder/sport.ts")
        }
        return pull
    }

    private static func wrong(_ text: String) -> ValidationError {
        ValidationError(
            "--pull: '\(SecretRedaction.text(text))' is not STREAM=URL, e.g. live/sport=http://encoder/sport.ts, "
                + "or STREAM=@FILE")
    }
}
