import ArgumentParser

/// The format of a daemon's log on stderr.
enum LogFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    /// `time=… level=… msg="…" key=value`
    case logfmt
    /// One JSON object per line.
    case json
}

/// The option that all daemons share.
struct LogOptions: ParsableArguments {
    @Option(help: "Format of the log lines on stderr: logfmt or json.")
    var logFormat = LogFormat.logfmt
}
