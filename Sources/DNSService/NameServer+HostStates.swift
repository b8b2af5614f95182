import DNSAnswers
import ReflectorModel

/// Overrides and host states: what operators ask a running server outside DNS.
extension NameServer {
    /// Why an override is refused: a sentence for people.
    public struct OverrideRefused: Error, Sendable, CustomStringConvertible {
        public var description: String
    }

    /// Puts an override in force, for `seconds`; it is answered within a second and ends by itself.
    ///
    /// - Parameters:
    ///   - subject: a host of a set region, or else a site.
    ///   - zone: without the final dot.
    ///   - isForced: also where cells of the map would have no parent left.
    public func override(
        _ action: ZoneContent.Override.Action, _ subject: String, zone: String, seconds: Int64, reason: String,
        isForced: Bool = false
    ) async throws(OverrideRefused) -> HostOverride {
        let zone = zone.lowercased()
        guard let files = await keeper.files.first(where: { $0.zone == zone }) else {
            throw OverrideRefused(description: "\(OverrideTable.Refusal.unknownZone(zone))")
        }
        do {
            return try await overrideRegistry.put(
                action, subject, zone: files, seconds: seconds, reason: reason, isForced: isForced,
                hostStates: await keeper.hostStates, at: WallClock.seconds)
        } catch {
            throw OverrideRefused(description: "\(error)")
        }
    }

    /// Ends an override before its time.
    public func clearOverride(of subject: String, zone: String) async throws(OverrideRefused) -> HostOverride {
        do {
            return try await overrideRegistry.clear(subject, zone: zone.lowercased())
        } catch {
            throw OverrideRefused(description: "\(error)")
        }
    }
}

extension NameServer.Status {
    /// A set reflector in a set region.
    public struct Host: Codable, Sendable, Equatable {
        public var zone: String
        public var set: String
        public var name: String
        public var port: UInt16
        /// `alive`, `dead`, `lossy 8/16`, `unprobed`.
        public var health: String
        /// Of its SRV record; nil while it is left out.
        public var weight: Int?
    }

    /// An operator's decision, in force now.
    public struct Override: Codable, Sendable, Equatable {
        public var zone: String
        public var subject: String
        /// The subject is a site and not a host.
        public var isSite: Bool
        public var action: ZoneContent.Override.Action
        public var reason: String
        /// Seconds since 1970.
        public var until: Int64

        init(_ entry: HostOverride) {
            zone = entry.zone
            subject = entry.subject.description
            isSite = if case .site = entry.subject { true } else { false }
            action = entry.override.action
            reason = entry.override.reason
            until = entry.override.until
        }
    }
}
