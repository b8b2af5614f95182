import ArgumentParser
import Foundation
import Logging

/// How log lines are written: for people and `grep`, or for programs.
enum LogFormat: String, ExpressibleByArgument, CaseIterable {
    case logfmt, json

    /// Makes every logger of this process write so.
    func bootstrap() {
        switch self {
        case .logfmt: LogfmtHandler.bootstrap()
        case .json: LoggingSystem.bootstrap { _ in JSONLogHandler() }
        }
    }
}

/// Log lines as JSON objects on stderr, one a line: `{"level":"info","msg":"…","time":"…",…}`. Keys of a line that
/// collide with these three are left out.
struct JSONLogHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { FileHandle.standardError.write(Self.line(event, metadata)) }

    static func line(_ event: LogEvent, _ metadata: Logger.Metadata, at time: Date = Date()) -> Data {
        var fields = metadata.merging(event.metadata ?? [:]) { _, new in new }.mapValues(\.description)
        fields["time"] = time.formatted(.iso8601)
        fields["level"] = "\(event.level)"
        fields["msg"] = event.message.description
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return ((try? encoder.encode(fields)) ?? Data("{}".utf8)) + Data("\n".utf8)
    }
}
