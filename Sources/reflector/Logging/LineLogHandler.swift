import Foundation
import Logging

/// Log lines on stderr, as logfmt or JSON: time, level, message, then the metadata sorted by key. Secrets are removed,
/// and lines of one kind are limited (`LogLimiter`).
struct LineLogHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .info
    private let format: LogFormat
    private let limiter: SharedLogLimiter
    private let writer: LogWriter

    init(format: LogFormat, limiter: SharedLogLimiter, writer: LogWriter) {
        self.format = format
        self.limiter = limiter
        self.writer = writer
    }

    /// Makes every logger of this process write lines in this format.
    static func bootstrap(_ format: LogFormat) {
        let writer = LogWriter { count in
            line(omission("log lines were omitted because nobody read them", count, .warning), format)
        }
        let limiter = SharedLogLimiter { level, message, omitted in
            writer.write(line(omission(SecretRedaction.text(message), omitted, level), format))
        }
        LoggingSystem.bootstrap { _ in LineLogHandler(format: format, limiter: limiter, writer: writer) }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        guard limiter.admits(event) else { return }
        let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
        let fields =
            [("time", Self.time(Date())), ("level", "\(event.level)"), ("msg", event.message.description)]
            + all.sorted { $0.key < $1.key }.map { ($0.key, $0.value.description) }
        let safe = fields.map { ($0.0, SecretRedaction.text($0.1)) }
        writer.write(Self.line(safe, format))
    }

    private static func omission(_ message: String, _ count: Int, _ level: Logger.Level) -> [(String, String)] {
        [("time", time(Date())), ("level", "\(level)"), ("msg", message), ("omitted", "\(count)")]
    }

    /// The text of one line, without its line end; it never contains a line end, whatever the fields contain.
    static func line(_ fields: [(key: String, value: String)], _ format: LogFormat) -> String {
        switch format {
        case .logfmt: fields.map { "\(key($0.key))=\(word($0.value))" }.joined(separator: " ")
        case .json:
            "{" + fields.map { "\(quoted($0.key)):\(quoted($0.value))" }.joined(separator: ",") + "}"
        }
    }

    private static func time(_ date: Date) -> String {
        date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    private static func key(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { isPlain($0) ? $0 : "_" }))
    }

    private static func word(_ text: String) -> String {
        text.isEmpty || !text.unicodeScalars.allSatisfy(isPlain) ? quoted(text) : text
    }

    private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value > 0x20 && scalar.value != 0x7f && scalar != "\"" && scalar != "=" && scalar != "\\"
    }

    /// A JSON string (RFC 8259 §7). It is built from scalars, because in Swift CR LF is one character, which differs
    /// from LF.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\\(scalar)"
            case "\n": result += "\\n"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                result += "\\u" + String(scalar.value + 0x10000, radix: 16).dropFirst()
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
