import DatagramIO
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
        try await refusing { registry in
            try await registry.put(
                action, subject, zone: try await files(of: zone), seconds: seconds, reason: reason, by: name,
                isForced: isForced, hostStates: await keeper.hostStates, at: WallClock.seconds)
        }
    }

    /// Ends an override before it expires, on behalf of the operator `name`.
    public func clearOverride(
        of subject: String, zone: String, by name: String
    ) async throws(OverrideRefused) -> HostOverride {
        try await refusing { registry in
            try await registry.clear(subject, zone: zone.lowercased(), by: name)
        }
    }
}

/// Overrides of streams' entrypoints.
extension NameServer {
    /// Sets an override of one candidate of a stream for `seconds`; answers reflect it within a second, and it ends by
    /// itself.
    ///
    /// - Parameters:
    ///   - host: name of the candidate.
    ///   - stream: name of a stream, or a pattern exactly as a `stream` line has it, such as `live/*`.
    ///   - zone: zone name without the final dot.
    ///   - name: of the operator who sets it; shown in answers, status and log.
    ///   - isForced: sets it even if a stream would have no candidate left.
    public func overrideEntrypoint(
        _ action: EntrypointOverride.Action, _ host: String, of stream: String, zone: String, seconds: Int64,
        reason: String, by name: String, isForced: Bool = false
    ) async throws(OverrideRefused) -> EntrypointOverride {
        try await refusing { registry in
            try await registry.put(
                action, host, of: stream, zone: try await files(of: zone), seconds: seconds, reason: reason, by: name,
                isForced: isForced, at: WallClock.seconds)
        }
    }

    /// Ends the overrides of a stream before they expire, on behalf of the operator `name`: those of `host`, or all of them
    /// if it is nil.
    public func clearEntrypointOverrides(
        of stream: String, host: String? = nil, zone: String, by name: String
    ) async throws(OverrideRefused) -> [EntrypointOverride] {
        try await refusing { registry in
            try await registry.clear(stream: stream, host: host, zone: zone.lowercased(), by: name)
        }
    }

    /// The files of a zone that this server has.
    private func files(of zone: String) async throws -> ZoneContent {
        let zone = zone.lowercased()
        guard let files = await keeper.files.first(where: { $0.zone == zone }) else {
            throw OverrideTable.Refusal.unknownZone(zone)
        }
        return files
    }

    /// Changes the overrides. Whatever the change throws becomes an `OverrideRefused`.
    private func refusing<Result>(
        _ change: (OverrideRegistry) async throws -> Result
    ) async throws(OverrideRefused) -> Result {
        do {
            return try await change(overrideRegistry)
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

    /// A stream that another candidate than the first leads, or that nobody leads.
    public struct Lead: Codable, Sendable, Equatable {
        public var zone: String
        public var stream: String
        /// Host name of the entrypoint that leads it; nil if nobody does.
        public var host: String?
        /// Serial of the generation in which this began.
        public var serial: UInt32
    }

    /// An operator's override of a stream's candidate that is in force.
    public struct EntrypointOverride: Codable, Sendable, Equatable {
        public var zone: String
        /// Name of a stream, or the pattern of a `stream` line.
        public var stream: String
        /// The candidate.
        public var host: String
        public var action: ZoneContent.Election.Choice.Action
        public var reason: String
        /// Expiry time in seconds since 1970.
        public var until: Int64
        /// Name of the operator who set it.
        public var by: String

        init(_ entry: DNSService.EntrypointOverride) {
            (zone, stream, host, action) = (entry.zone, entry.stream, entry.host, entry.action)
            (reason, until, by) = (entry.reason, entry.until, entry.by)
        }
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
