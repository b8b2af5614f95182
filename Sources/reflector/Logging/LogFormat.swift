import ArgumentParser

/// How a daemon writes its log on stderr.
enum LogFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    /// `time=… level=… msg="…" key=value`
    case logfmt
    /// One JSON object a line.
    case json
}

/// The option that all daemons share.
struct LogOptions: ParsableArguments {
    @Option(help: "Form of the log lines on stderr: logfmt or json.")
    var logFormat = LogFormat.logfmt
}
