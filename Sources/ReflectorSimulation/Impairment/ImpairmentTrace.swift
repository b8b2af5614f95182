import ReflectorModel

/// What a link did over time. The simulator replays it in virtual time, `reflector impair` on sockets.
///
/// A text file with one step on each line. A step applies until the next one:
///
/// ```
/// # seconds  loss %  burst  delay ms  jitter ms  rate kbit/s
/// 0          0       -      20
/// 12.5       30      5      20        4          8000
/// 22.5       2       30ms   60        0          -
/// 60         loop
/// ```
///
/// `burst` is the mean length of a run of losses in datagrams, or, with `ms`, of a bad period; `-` means independent
/// losses. The last two fields are optional; without them there is no jitter and no bottleneck. The last step applies
/// until the end, or until the time of a `loop` line, which starts again with the first step. `#` starts a comment.
public struct ImpairmentTrace: Sendable, Equatable {
    /// What a link does from a given time on.
    public struct Step: Sendable, Equatable {
        /// Time since the beginning of the trace, or of its repetition.
        public var at: TimeSpan
        /// Share of datagrams lost, 0 to 1.
        public var loss: Double
        public var episode: ImpairmentOptions.Episode
        public var delay: TimeSpan
        public var jitter: TimeSpan
        /// Nil: no bottleneck.
        public var bitsPerSecond: Int64?

        /// Sets the options that a trace contains and leaves the others.
        func apply(to options: inout ImpairmentOptions) {
            options.loss = loss
            options.episode = episode
            options.delay = delay
            options.jitter = jitter
            options.bitsPerSecond = bitsPerSecond
        }
    }

    /// Maximum number of steps in a trace: one for each second of a day.
    public static let stepsMax = 86_400

    /// At least one step, in order of time; the first may begin later than the trace.
    public let steps: [Step]
    /// The time after which the trace repeats; nil if it does not.
    public let repeatsAfter: TimeSpan?

    /// The step that applies at an instant (nil before the first), and when it ends (nil for never). Both times count
    /// from the beginning of the trace.
    func step(at elapsed: TimeSpan) -> (step: Step?, until: TimeSpan?) {
        var lap = TimeSpan.zero
        if let repeatsAfter { lap = repeatsAfter * (max(elapsed, .zero).nanoseconds / repeatsAfter.nanoseconds) }
        let inside = elapsed - lap
        var low = 0
        var high = steps.count
        while low < high {
            let middle = (low + high) / 2
            if steps[middle].at <= inside { low = middle + 1 } else { high = middle }
        }
        let until = low < steps.count ? lap + steps[low].at : repeatsAfter.map { lap + $0 }
        if low > 0 { return (steps[low - 1], until) }
        // Before the first step of a repetition, the last step still applies.
        return (lap > .zero ? steps.last : nil, until)
    }

    /// Reads a trace.
    ///
    /// - Parameter file: the name of the file in messages.
    /// - Throws: every problem of the text at once.
    public init(_ text: String, file: String) throws(ImpairmentTraceProblems) {
        var reader = ImpairmentTraceReader(file: file)
        let lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
        for (index, line) in lines.enumerated() {
            reader.read(line, number: index + 1)
        }
        reader.finish()
        guard reader.problems.isEmpty else { throw ImpairmentTraceProblems(lines: reader.problems) }
        steps = reader.steps
        repeatsAfter = reader.repeatsAfter
    }
}

/// Everything that is wrong with a trace, each as `file:line:column: what is wrong, and what to do`.
public struct ImpairmentTraceProblems: Error, Sendable, Equatable, CustomStringConvertible {
    public let lines: [String]
    public var description: String { lines.joined(separator: "\n") }
}
