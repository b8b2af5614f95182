import Foundation
import Glibc
import ReflectorModel
import RelayService

/// The folder of one run of `up`: keys and identities, each node's state and log, the test picture.
///
/// ```
/// keys            keys of encoders, mode 0600
/// identities/     the operator, and each node's key and certificate (`LocalIdentities`)
/// logs/NAME.log   output of each process
/// NAME/           state of each node
/// test.ts         the test picture, encoded once
/// ```
public struct RunFolder: Sendable {
    /// Its absolute path.
    public let path: String
    /// True if `up` created the folder under the temporary directory; `up` then removes it after a successful run.
    public let isTemporary: Bool

    /// Path of the file with the keys of encoders.
    public var keys: String { path + "/keys" }
    var testPicture: String { path + "/test.ts" }
    /// Path of a process's log.
    public func log(of name: String) -> String { "\(path)/logs/\(name).log" }
    func state(of name: String) -> String { "\(path)/\(name)" }

    /// Creates the folder and its `logs` folder, unless they exist.
    /// - Parameter path: nil for a new temporary one.
    public init(_ path: String?) throws(StateFolder.Unusable) {
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

    /// The last lines of a process's log, which show why it failed.
    public func tail(of name: String) -> String {
        let log = FileManager.default.contents(atPath: log(of: name)) ?? Data()
        return LogTail.lines(of: String(decoding: log, as: UTF8.self)).map { "    \($0)" }.joined(separator: "\n")
    }

    /// Removes the folder with its contents.
    public func remove() { try? FileManager.default.removeItem(atPath: path) }
}
