/// A region of several edges, as one of them sees it.
public struct RegionStatus: Codable, Sendable, Equatable {
    public struct Member: Codable, Sendable, Equatable {
        public var name: String
        /// Its address on the LAN; nil for the reporting member itself.
        public var endpoint: String?
        /// `up`, `new` (up, but not for long enough to take slots), `cut off` (a short time ago no parent outside
        /// answered it, or it slept), `leaving` or `down`.
        public var state: String
        /// Seconds since its last report; nil for the member itself, and for one that never reported.
        public var heardSecondsAgo: Double?
        /// How many streams it leads.
        public var leads: Int

        public init(name: String, endpoint: String?, state: String, heardSecondsAgo: Double?, leads: Int) {
            self.name = name
            self.endpoint = endpoint
            self.state = state
            self.heardSecondsAgo = heardSecondsAgo
            self.leads = leads
        }
    }

    public struct Slot: Codable, Sendable, Equatable {
        public var stream: String
        /// 1 for the leader that fetches copy 1.
        public var slot: Int
        public var leader: String
        public var secondsAgo: Double
        public var cause: String
        /// The members whose viewers want the stream.
        public var wantedBy: [String]

        public init(
            stream: String, slot: Int, leader: String, secondsAgo: Double, cause: String, wantedBy: [String]
        ) {
            self.stream = stream
            self.slot = slot
            self.leader = leader
            self.secondsAgo = secondsAgo
            self.cause = cause
            self.wantedBy = wantedBy
        }
    }

    /// The reporting member first.
    public var members: [Member]
    /// In the order of the streams' names, at most 512.
    public var slots: [Slot]
    public var slotsTotal: Int
    /// This member hears no other one, so that it fetches every stream for itself: for so many seconds; nil otherwise.
    public var aloneSeconds: Double?

    public init(members: [Member], slots: [Slot], slotsTotal: Int, aloneSeconds: Double?) {
        self.members = members
        self.slots = slots
        self.slotsTotal = slotsTotal
        self.aloneSeconds = aloneSeconds
    }
}
