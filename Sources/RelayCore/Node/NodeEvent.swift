import ReflectorModel

/// An event in one part that concerns another. Parts post events; the node drains them in `RelayNode.drainEvents`, the
/// only place that defines their consequences.
enum NodeEvent {
    /// No parent can provide the stream now, and children want it.
    case unavailable(StreamState, UnavailableReason)
    /// The zone has named a stream's portset; children may claim another one.
    case portsetLearned(StreamState, PortsetID)
    /// The zone names this link's node as a candidate for a stream that the node announces.
    case announcerListed(ChildLink)
    /// The process of an entrypoint that announces here is dead by all evidence.
    case announcerDied(ChildLink)
    /// The zone does not name this link's node as a candidate for this stream, which the node announces.
    case announcementContradicted(ChildLink, StreamName)
}
