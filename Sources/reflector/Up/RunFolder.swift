import Foundation
import Glibc
import ReflectorModel
import RelayService

/// The folder of one `up`: keys, each node's state and log, the test picture.
///
/// ```
/// keys            mode 0600
/// keys.operator   mode 0600; signs overrides
/// logs/NAME.log   output of each process
/// NAME/           state of each node
/// test.ts         the test picture, encoded once
/// ```
struct RunFolder: Sendable {
    let path: String
    /// True if `up` created it under the temporary directory; then it removes it after a good run.
    let isTemporary: Bool

    var keys: String { path + "/keys" }
    var testPicture: String { path + "/test.ts" }
    func log(of name: String) -> String { "\(path)/logs/\(name).log" }
    func state(of name: String) -> String { "\(path)/\(name)" }

    /// Creates the folder and its missing parts.
    /// - Parameter path: nil for a new temporary one.
    init(_ path: String?) throws(StateFolder.Unusable) {
        if let path {
            self.path = URL(fileURLWithPath: path).standardizedFileURL.path
            isTemporary = false
        } else {
            let template = FileManager.default.temporaryDirectory.appendingPathComponent("reflector-up-XXXXXX").path
            var characters = Array(template.utf8CString)
            guard mkdtemp(&characters) != nil else { throw StateFolder.Unusable(path: template, code: errno) }
            self.path = String(decoding: characters.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            isTemporary = true
        }
        try StateFolder.make(self.path + "/logs")
    }

    /// The keys of this network: those of an earlier run with the same folder, otherwise new ones.
    func loadOrMakeKeys() throws(KeyFile.Invalid) -> KeyFile {
        if FileManager.default.fileExists(atPath: keys) { return try KeyFile.load(keys) }
        return try KeyPair.make(keys, streams: [.below(nil)])
    }

    /// The last lines of a process's log, which show why it failed.
    func tail(of name: String) -> String {
        let log = FileManager.default.contents(atPath: log(of: name)) ?? Data()
        return LogTail.lines(of: String(decoding: log, as: UTF8.self)).map { "    \($0)" }.joined(separator: "\n")
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }
}
