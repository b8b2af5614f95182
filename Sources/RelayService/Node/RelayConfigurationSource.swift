import RelayCore

/// Makes the state machine's configuration from a daemon's options.
struct RelayConfigurationSource {
    let configuration: RelayConfiguration

    init(_ node: NodeConfiguration) {
        var relay = RelayConfiguration(name: node.name, role: node.role, region: node.region)
        relay.playOutDeadline = node.playOutDeadline
        relay.repairSpan = max(relay.repairSpan, node.playOutDeadline)
        relay.capacity = node.capacity
        relay.packetsMax = node.packetsMax
        configuration = relay
    }
}
