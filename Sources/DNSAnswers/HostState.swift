/// What is known of a set region's hosts beside the files: what probes say, and what operators have decided.
extension ZoneContent {
    /// What probes say of one set reflector.
    public enum Health: Sendable, Hashable, Codable {
        /// Nobody probes it, or no probe has come to an end yet.
        case unprobed
        case alive
        /// Alive, but its children report loss: it is given so many sixteenths of its weight, 1 to 15.
        case lossy(share: UInt8)
        case dead
    }

    /// What an operator has decided about a host until some time.
    public struct Override: Sendable, Hashable, Codable {
        public enum Action: String, Sendable, Hashable, CaseIterable, Codable {
            /// Answered only where nothing else is left.
            case drain
            /// Never answered.
            case depool
            /// Answered with its full weight, whatever probes say.
            case pin
        }

        /// Longest reason in bytes.
        public static let reasonMax = 100

        public var action: Action
        /// For people; printable ASCII.
        public var reason: String
        /// Seconds since 1970 at which it ends.
        public var until: Int64

        public init(action: Action, reason: String, until: Int64) {
            self.action = action
            self.reason = reason
            self.until = until
        }
    }

    /// How a host stands with regard to answers.
    public enum HostState: Sendable, Hashable {
        case serving
        /// Answered with so many sixteenths of its weight.
        case weighedDown(share: UInt8)
        case dead
        case drained
        case depooled
        case pinned
    }

    /// Where the health of the members comes from.
    public enum Probing: Sendable, Hashable, Codable {
        /// Nobody probes: there is no key.
        case off
        case on
        /// So many targets fell silent together that the prober doubts itself and not them: everybody stands as before.
        case frozen(silent: Int, targets: Int)
    }
}

extension ZoneContent.Member {
    /// A decision outweighs a probe.
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
    /// As `explain` and causes have it.
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
