import ReflectorModel

/// Which of a host's addresses works, where it is not the one that comes first: the next link to the host begins with it,
/// and the first one is tried again only after a while (RFC 8305 §5 with a memory).
struct WorkingAddresses {
    private struct Entry {
        var endpoint: Endpoint
        var until: MonotonicInstant
    }
    /// By the endpoint that stands for the host.
    private var entries: [Endpoint: Entry] = [:]
    /// Filled by what the zone names; when full, everything is forgotten: the cost is a wait of 300 ms each.
    static let countMax = 1_024
    /// An address that did not answer is passed over for this long.
    static let span: TimeSpan = .seconds(600)
    /// One over which a link has died, for this long: the host may have died, not the path.
    static let spanAfterDeath: TimeSpan = .seconds(60)

    mutating func note(
        _ working: Endpoint, of host: Endpoint, for span: TimeSpan = span, at now: MonotonicInstant
    ) {
        if entries.count >= Self.countMax, entries[host] == nil { entries.removeAll() }
        entries[host] = working == host ? nil : Entry(endpoint: working, until: now + span)
    }

    /// The address to begin with, out of a host's own.
    func first(of host: Endpoint, others: [Endpoint], at now: MonotonicInstant) -> Endpoint {
        guard let entry = entries[host], entry.until > now, others.contains(entry.endpoint) else {
            return host
        }
        return entry.endpoint
    }
}
