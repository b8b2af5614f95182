import ReflectorModel
import RelayCore

/// The start of a run (nodes, viewers and the plan of faults), and what each fault does.
extension FaultSimulation {
    private static var operatorKey: UInt64 { 0x5eed_0f_7e7 }

    func setUpNodes() {
        let names = topology.zone.streams.map(\.name)
        for (index, host) in topology.hosts.enumerated() {
            let receiver =
                host.role == .edge && !host.isInsider
                ? EdgeReceiver(name: host.name, streams: names, invariants) : nil
            receiver?.canary = options.canary
            receiver?.log = { [unowned self] text in log(text) }
            let batchMax = [1, 2, 7, 32][Int(random.next(below: 4))]
            let node = network.add(
                NodeSetUp(topology.configuration(of: index), sink: receiver, batchMax: batchMax), at: host.endpoint)
            hosts.append(ObservedHost(host, node: node, receiver: receiver))
        }
        for host in hosts { start(host) }
    }

    func start(_ host: ObservedHost) {
        let node = host.node
        guard !node.isUp else { return }
        log("\(node.name) starts")
        let crypto = SimulatedCrypto(operatorKey: Self.operatorKey, seed: random.next())
        crypto.acceptsForgeries = options.canary == .acceptForgeries
        network.start(node, crypto: crypto, seed: random.next())
        host.noteStart(at: now)
        host.receiver?.restart(at: now) { wanted[node.index][$0] }
        for stream in wanted[node.index].indices where wanted[node.index][stream] {
            node.relay?.want(topology.zone.streams[stream].name, at: now)
        }
        network.settle(node)
    }

    /// Gives the current zone to the name server.
    func publishZone() {
        network.names = zone.names
    }

    func setUpEvents() {
        for stream in topology.zone.streams.indices {
            for entrypoint in topology.entrypoints {
                let start = MonotonicInstant.zero + .milliseconds(100) + random.time(upTo: .milliseconds(400))
                network.schedule(.encoder(stream: stream, entrypoint: entrypoint), at: start)
            }
        }
        for edge in topology.edges {
            for stream in topology.zone.streams.indices {
                let at = MonotonicInstant.zero + .milliseconds(1_500) + random.time(upTo: .milliseconds(1_000))
                network.schedule(.fault(.want(edge: edge, stream: stream)), at: at)
            }
        }
        let window = MonotonicInstant.zero + Self.faultsFrom..<calmAt
        for (at, fault) in FaultPlan(options.scenario, in: topology, window: window, &random).faults {
            network.schedule(.fault(fault), at: at)
        }
        if options.scenario.hasInsiders { network.schedule(.insiders, at: .zero + .milliseconds(300)) }
        network.schedule(.inspect, at: .zero + .milliseconds(50))
        network.schedule(.checkLiveness, at: calmAt + Self.recovery)
        if options.scenario.hasIntruder || options.canary == .acceptForgeries {
            intruder = Intruder(seed: random.next())
            network.schedule(.intrude, at: .zero + .seconds(1))
        }
    }

    // MARK: Faults

    func apply(_ fault: Fault, _ event: Event) {
        log("\(fault)")
        switch fault {
        case .crash(let host): crash(host)
        case .start(let host): start(hosts[host])
        case .crashParent(let edge, let stream, let back):
            let name = topology.zone.streams[stream].name
            let path = hosts[edge].node.relay?.snapshot.paths.first { $0.stream == name && !$0.isLeaving }
            guard let path, let parent = network.node(at: path.parent)?.index else { return }
            crash(parent)
            network.schedule(.fault(.start(host: parent)), at: now + back)
        case .pause(let host, let span): network.pause(hosts[host].node, until: now + span)
        case .edit(let region, let portset, let parents):
            zone.edit(region, portset, parents: parents)
            publishZone()
        case .nameServers(let isDown): zone.isDown = isDown
        case .want(let edge, let stream):
            wanted[edge][stream] = true
            if postponed(event, edge) { return }
            hosts[edge].receiver?.want(stream, at: now)
            hosts[edge].node.relay?.want(topology.zone.streams[stream].name, at: now)
            network.settle(hosts[edge].node)
        case .release(let edge, let stream):
            if postponed(event, edge) { return }
            wanted[edge][stream] = false
            lastWanted = now
            hosts[edge].node.relay?.release(topology.zone.streams[stream].name, at: now)
            network.settle(hosts[edge].node)
        case .calm:
            links.impair(ImpairmentOptions(), &random)
            intruder = nil
            for host in hosts { start(host) }
        }
        digest.add(2, UInt64(bitPattern: now.nanoseconds), UInt64(network.nodes.count { $0.isUp }))
    }

    private func crash(_ host: Int) {
        let node = hosts[host].node
        guard node.isUp else { return }
        counts.crashes += 1
        log("\(node.name) crashes")
        network.crash(node)
    }
}
