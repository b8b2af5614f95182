/// State of a set region's hosts that is not in the files: probe results and operators' overrides.
extension ZoneContent {
    /// Probe result of one set reflector.
    public enum Health: Sendable, Hashable, Codable {
        /// The host is not probed, or no probe has finished yet.
        case unprobed
        case alive
        /// Alive, but its children report loss: its weight is reduced to this many sixteenths, 1 to 15.
        case lossy(share: UInt8)
        case dead
    }

    /// An operator's override of a host, with an expiry time.
    public struct Override: Sendable, Hashable, Codable {
        public enum Action: String, Sendable, Hashable, CaseIterable, Codable {
            /// Answered only if no other host is left.
            case drain
            /// Never answered.
            case depool
            /// Answered with its full weight, regardless of probes.
            case pin
        }

        /// Maximum length of a reason in bytes.
        public static let reasonMax = 100

        public var action: Action
        /// Shown to people; printable ASCII.
        public var reason: String
        /// Expiry time in seconds since 1970.
        public var until: Int64
        /// Name of the operator who set it.
        public var by: String

        public init(action: Action, reason: String, until: Int64, by: String) {
            self.action = action
            self.reason = reason
            self.until = until
            self.by = by
        }
    }

    /// Whether and how answers include a host.
    public enum HostState: Sendable, Hashable {
        case serving
        /// Answered with this many sixteenths of its weight.
        case weighedDown(share: UInt8)
        case dead
        case drained
        case depooled
        case pinned
    }

    /// Whether the health of members is known from probes.
    public enum Probing: Sendable, Hashable, Codable {
        /// Probing is off: the name server has no identity.
        case off
        case on
        /// Panic mode: so many targets stopped answering at the same time that the prober itself is probably cut off.
        /// All hosts keep their previous state.
        case frozen(silent: Int, targets: Int)
    }
}

extension ZoneContent.Member {
    /// The state that results from the override and the health. An override takes precedence.
    public var state: ZoneContent.HostState {
        switch (override?.action, health) {
        case (.drain, _): .drained
        case (.depool, _): .depooled
        case (.pin, _): .pinned
        case (nil, .dead): .dead
        case (nil, .lossy(let share)): .weighedDown(share: share)
        case (nil, .alive), (nil, .unprobed): .serving
        }
    }
}

extension ZoneContent.Health: CustomStringConvertible {
    /// The result's name in `explain` and in the causes of changes.
    public var description: String {
        switch self {
        case .unprobed: "unprobed"
        case .alive: "alive"
        case .lossy(let share): "lossy \(share)/16"
        case .dead: "dead"
        }
    }
}

extension ZoneContent.Probing: CustomStringConvertible {
    public var description: String {
        switch self {
        case .off: "unprobed"
        case .on: "probed"
        case .frozen(let silent, let targets): "frozen: \(silent) of \(targets) targets silent"
        }
    }
}
