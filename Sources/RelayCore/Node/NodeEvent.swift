import ReflectorModel

/// What happened in one part and concerns another. Parts post events; the node drains them in `RelayNode.drainEvents`,
/// which is the one place that says what follows from each.
enum NodeEvent {
    /// No parent can give the stream now, and children want it.
    case unavailable(StreamState, UnavailableReason)
    /// The zone has said which portset a stream has; children may claim another.
    case portsetLearned(StreamState, PortsetID)
    /// The zone names the node of this link as a candidate of a stream that it announces.
    case announcerListed(ChildLink)
    /// The zone does not name it.
    case announcementContradicted(ChildLink, StreamName)
}
