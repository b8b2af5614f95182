import ReflectorModel

/// The result of a run: what each edge delivered of each stream, and the processes that ended.
public struct RunSummary: Sendable {
    /// One stream at one edge.
    public struct Row: Sendable {
        /// Name of the edge.
        public var edge: String
        /// The stream.
        public var stream: StreamName
        /// Nil if the edge did not answer or does not know the stream.
        public var status: StreamStatus?
        /// Longest time between two payloads of the encoder, in milliseconds; nil if no entrypoint reports it.
        public var encoderGapMilliseconds: Double?
        /// Results of our own viewers of this edge and stream.
        public var viewers = 0
        public var viewerBytes: UInt64 = 0
        public var viewerErrors: UInt64 = 0
        public var interruptions = 0

        /// The largest gap in the edge's output minus the encoder's largest gap: the part that the network added. An
        /// encoder sends one picture at a time, so its output has gaps, too.
        public var addedMilliseconds: Double? {
            guard let status, let encoderGapMilliseconds else { return nil }
            return max(status.gapMillisecondsMax - encoderGapMilliseconds, 0)
        }
    }

    /// By edge, then stream.
    public var rows: [Row] = []
    /// Processes that ended unexpectedly.
    public var deaths: [ProcessSupervisor.Death] = []

    /// An empty summary.
    public init() {}
}
