import RelayCore

/// Makes the state machine's configuration from a daemon's options and the limits in its certificate.
struct RelayConfigurationSource {
    let configuration: RelayConfiguration

    init(_ node: NodeConfiguration) {
        var relay = RelayConfiguration(name: node.name, role: node.role, region: node.region)
        relay.playOutDeadline = node.playOutDeadline
        relay.repairSpan = max(relay.repairSpan, node.playOutDeadline)
        relay.encoderSilenceMax = node.encoderTimeout
        relay.capacity = node.capacity
        relay.neighbours = node.neighbours
        relay.lan = node.lan?.groups
        if case .set(let name) = node.identity.content.region { relay.setRegion = name }
        relay.packetsMax = node.packetsMax
        let limits = node.identity.content.limits
        if let most = limits.egressBitsPerSecond {
            relay.capacity = relay.capacity == 0 ? most : min(relay.capacity, most)
        }
        if let most = limits.streams { relay.streamsMax = min(relay.streamsMax, Int(most)) }
        if let most = limits.children { relay.linksMax = min(relay.linksMax, Int(most)) }
        configuration = relay
    }
}
