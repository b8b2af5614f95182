import ArgumentParser
import SecretFiles

/// A file that holds one secret and nothing else.
enum KeyText {
    private static let bytesMax = 8_192

    static func read(_ path: String) throws -> String {
        do throws(PrivateFile.Failure) {
            let lines = try PrivateFile.read(path, bytesMax: bytesMax).split(whereSeparator: \.isNewline)
                .filter { !$0.hasPrefix("#") }
            guard lines.count == 1, let line = lines.first else {
                throw PrivateFile.Failure.notText(path: path)
            }
            return String(line)
        } catch .notText {
            throw ValidationError("\(path): the file must hold one line of text")
        } catch {
            throw ValidationError(error.description)
        }
    }
}
