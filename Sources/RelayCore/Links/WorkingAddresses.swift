import ReflectorModel

/// Which of a host's addresses works, if it is not the first one: the next link to the host starts with it, and the
/// first address is tried again only after a while (RFC 8305 §5 with a memory).
struct WorkingAddresses {
    private struct Entry {
        var endpoint: Endpoint
        var until: MonotonicInstant
    }
    /// By the endpoint that identifies the host.
    private var entries: [Endpoint: Entry] = [:]
    /// The entries come from the zone; when the table is full, it is cleared. This costs a wait of 300 ms per host.
    static let countMax = 1_024
    /// How long the next links skip an address that did not answer.
    static let span: TimeSpan = .seconds(600)
    /// The same for an address on which a link died. It is shorter, because perhaps the host failed, not the path.
    static let spanAfterDeath: TimeSpan = .seconds(60)

    mutating func note(
        _ working: Endpoint, of host: Endpoint, for span: TimeSpan = span, at now: MonotonicInstant
    ) {
        if entries.count >= Self.countMax, entries[host] == nil { entries.removeAll() }
        entries[host] = working == host ? nil : Entry(endpoint: working, until: now + span)
    }

    /// Which of a host's addresses to try first.
    func first(of host: Endpoint, others: [Endpoint], at now: MonotonicInstant) -> Endpoint {
        guard let entry = entries[host], entry.until > now, others.contains(entry.endpoint) else {
            return host
        }
        return entry.endpoint
    }
}
