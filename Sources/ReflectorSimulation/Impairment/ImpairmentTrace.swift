import ReflectorModel

/// What a link did over time, to be replayed: by the simulator in virtual time, by `reflector impair` on sockets.
///
/// A text file of one step a line, each valid until the next:
///
/// ```
/// # seconds  loss %  burst  delay ms  jitter ms  rate kbit/s
/// 0          0       -      20
/// 12.5       30      5      20        4          8000
/// 22.5       2       30ms   60        0          -
/// 60         loop
/// ```
///
/// `burst` is the mean length of a run of losses, in datagrams, or of a bad period, with `ms`; `-` for losses that are
/// independent. What is left off at the end of a line is none. The last step stays, unless a line `loop` says when the
/// first begins again. `#` starts a comment.
public struct ImpairmentTrace: Sendable, Equatable {
    /// What a link does from an instant on.
    public struct Step: Sendable, Equatable {
        /// Since the beginning of the trace, or of its repetition.
        public var at: TimeSpan
        /// Share of datagrams lost, 0 to 1.
        public var loss: Double
        public var episode: ImpairmentOptions.Episode
        public var delay: TimeSpan
        public var jitter: TimeSpan
        /// Nil: no bottleneck.
        public var bitsPerSecond: Int64?

        /// Changes what a trace speaks of, and leaves the rest.
        func apply(to options: inout ImpairmentOptions) {
            options.loss = loss
            options.episode = episode
            options.delay = delay
            options.jitter = jitter
            options.bitsPerSecond = bitsPerSecond
        }
    }

    /// Most steps of a trace: a day of seconds.
    public static let stepsMax = 86_400

    /// In order of time, at least one; the first may begin later than the trace.
    public let steps: [Step]
    /// When the first step's time zero comes again; nil if it never does.
    public let repeatsAfter: TimeSpan?

    /// The step that is valid at an instant, nil before the first, and when that is over, nil for never. Both count from
    /// the beginning of the trace.
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
        // Before the first step of a repetition the last one is still valid.
        return (lap > .zero ? steps.last : nil, until)
    }

    /// Reads a trace.
    ///
    /// - Parameter file: what problems call the file.
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
