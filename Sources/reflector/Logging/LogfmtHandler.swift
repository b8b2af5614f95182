import Foundation
import Logging

/// Log lines as logfmt on stderr: `time=… level=… msg="…" key=value`.
struct LogfmtHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .info

    /// Makes every logger of this process write logfmt.
    static func bootstrap(level: Logger.Level = .info) {
        LoggingSystem.bootstrap { _ in
            var handler = LogfmtHandler()
            handler.logLevel = level
            return handler
        }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var line =
            "time=\(Date().formatted(.iso8601)) level=\(event.level) msg=\(Self.quoted(event.message.description))"
        let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
        for (key, value) in all.sorted(by: { $0.key < $1.key }) { line += " \(key)=\(Self.quoted(value.description))" }
        FileHandle.standardError.write(Data((line + "\n").utf8))
    }

    private static func quoted(_ text: String) -> String {
        guard text.isEmpty || text.contains(where: { " \"=\n".contains($0) }) else { return text }
        let escaped = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
        return "\"\(escaped)\""
    }
}
