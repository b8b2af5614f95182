/// What happened in one part and concerns another. Parts post events; the node drains them in `RelayNode.drainEvents`,
/// which is the one place that says what follows from each.
enum NodeEvent {
    case none
}
