/// Who leads each stream, and what operators decided about it: state of the network that is not in the files.
extension ZoneContent {
    /// The part of a zone's state that the election of entrypoints gives and needs ([A] §V-A).
    ///
    /// Operators' choices change the order of the candidates (`candidates(of:)`): every node takes the candidates and
    /// their ranks from that answer. Leads never change it. They only decide which entrypoint comes first at the
    /// stream's ingest name.
    public struct Election: Sendable, Hashable, Codable {
        /// A stream that another candidate than the first leads, or that nobody leads.
        public struct Lead: Sendable, Hashable, Codable {
            /// Text of the stream's `StreamName`: `live/news`.
            public var stream: String
            /// Index in `hosts`; nil if nobody leads the stream.
            public var host: Int?
            /// Serial of the generation in which this lead began; 0 means the serial of the generation.
            public var changedSerial: UInt32
            public init(stream: String, host: Int?, changedSerial: UInt32 = 0) {
                (self.stream, self.host, self.changedSerial) = (stream, host, changedSerial)
            }
        }

        /// An operator's temporary decision about one candidate of a stream.
        public struct Choice: Sendable, Hashable, Codable {
            public enum Action: String, Sendable, Hashable, CaseIterable, Codable {
                /// The candidate comes first.
                case pin
                /// The candidate is left out, unless all are barred.
                case bar
            }

            /// Text of the stream's `StreamName`, or of the pattern of a `stream` line (`live/*`) for all streams that
            /// this line answers.
            public var stream: String
            /// Index in `hosts`. A host that is no candidate of the stream has no effect.
            public var host: Int
            public var action: Action
            /// Shown to people; printable ASCII, at most `Override.reasonMax` bytes.
            public var reason: String
            /// Expiry time in seconds since 1970.
            public var until: Int64
            /// Name of the operator who set it.
            public var by: String
            public init(stream: String, host: Int, action: Action, reason: String, until: Int64, by: String) {
                (self.stream, self.host, self.action) = (stream, host, action)
                (self.reason, self.until, self.by) = (reason, until, by)
            }
        }

        /// Maximum number of leads: more would make the zone's size depend on a failure.
        public static let leadsMax = 4_096

        /// Streams whose leader is not their first candidate, sorted by stream; at most `leadsMax`, one for a stream.
        public var leads: [Lead]
        /// Operators' decisions, sorted by stream; at most one for a stream and host.
        public var overrides: [Choice]

        public init(leads: [Lead] = [], overrides: [Choice] = []) {
            (self.leads, self.overrides) = (leads, overrides)
        }
    }
}
