import DNSAnswers
import ReflectorModel

/// Overrides and host states, which operators set and read on a running server by other means than DNS.
extension NameServer {
    /// Why an override is refused: a sentence for operators.
    public struct OverrideRefused: Error, Sendable, CustomStringConvertible {
        public var description: String
    }

    /// Sets an override for `seconds`; answers reflect it within a second, and it ends by itself.
    ///
    /// - Parameters:
    ///   - subject: a host of a set region, or a site.
    ///   - zone: zone name without the final dot.
    ///   - name: of the operator who sets it; shown in answers, status and log.
    ///   - isForced: sets it even if cells of the map would have no parent left.
    public func override(
        _ action: ZoneContent.Override.Action, _ subject: String, zone: String, seconds: Int64, reason: String,
        by name: String, isForced: Bool = false
    ) async throws(OverrideRefused) -> HostOverride {
        let zone = zone.lowercased()
        guard let files = await keeper.files.first(where: { $0.zone == zone }) else {
            throw OverrideRefused(description: "\(OverrideTable.Refusal.unknownZone(zone))")
        }
        do {
            return try await overrideRegistry.put(
                action, subject, zone: files, seconds: seconds, reason: reason, by: name, isForced: isForced,
                hostStates: await keeper.hostStates, at: WallClock.seconds)
        } catch {
            throw OverrideRefused(description: "\(error)")
        }
    }

    /// Ends an override before it expires, on behalf of the operator `name`.
    public func clearOverride(
        of subject: String, zone: String, by name: String
    ) async throws(OverrideRefused) -> HostOverride {
        do {
            return try await overrideRegistry.clear(subject, zone: zone.lowercased(), by: name)
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
        /// Weight in its SRV record; nil while the host is left out.
        public var weight: Int?
    }

    /// An operator's override that is in force.
    public struct Override: Codable, Sendable, Equatable {
        public var zone: String
        public var subject: String
        /// True if the subject is a site, false if it is a host.
        public var isSite: Bool
        public var action: ZoneContent.Override.Action
        public var reason: String
        /// Expiry time in seconds since 1970.
        public var until: Int64
        /// Name of the operator who set it.
        public var by: String

        init(_ entry: HostOverride) {
            zone = entry.zone
            subject = entry.subject.description
            isSite = if case .site = entry.subject { true } else { false }
            action = entry.override.action
            reason = entry.override.reason
            until = entry.override.until
            by = entry.override.by
        }
    }
}
