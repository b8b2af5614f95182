import ReflectorModel
import RelayCore

/// How a run begins: links, nodes, viewers and the faults to come.
extension Simulation {
    private static var networkKey: UInt64 { 0x5eed_0f_7e7 }

    func setUpLinks() {
        let count = topology.hosts.count
        var delays = [TimeSpan](repeating: .zero, count: count * count)
        for a in 0..<count {
            for b in a..<count {
                let delay = TimeSpan.microseconds(500) + random.time(upTo: .milliseconds(14))
                delays[a * count + b] = delay
                delays[b * count + a] = delay
            }
        }
        let impairment = options.scenario.impairment(&random)
        for delay in delays {
            var link = impairment
            link.delay = delay
            links.append(LinkImpairment(link, seed: random.next()))
        }
    }

    /// From now on the links only take their time.
    func calmLinks() {
        for index in links.indices {
            var calm = ImpairmentOptions()
            calm.delay = links[index].options.delay
            links[index] = LinkImpairment(calm, seed: random.next())
        }
    }

    func setUpNodes() {
        let names = topology.zone.streams.map(\.name)
        for (index, host) in topology.hosts.enumerated() {
            let receiver =
                host.role == .edge && !host.isInsider ? Receiver(name: host.name, streams: names, judge: judge) : nil
            receiver?.canary = options.canary
            receiver?.tell = { [unowned self] text in tell(text) }
            let batchMax = [1, 2, 7, 32][Int(random.next(below: 4))]
            nodes.append(
                SimulatedNode(
                    index: index, host: host, receiver: receiver, batchMax: batchMax,
                    isBusyLooping: options.canary == .busyLoop && index == 3))
        }
        for node in nodes { start(node) }
    }

    func start(_ node: SimulatedNode) {
        guard !node.isUp else { return }
        tell("\(node.host.name) starts")
        let crypto = SimulatedCrypto(networkKeys: [Self.networkKey], seed: random.next())
        crypto.acceptsForgeries = options.canary == .acceptForgeries
        node.start(topology.configuration(of: node.index), crypto: crypto, seed: random.next(), at: now)
        node.receiver?.restart(at: now) { wanted[node.index][$0] }
        for stream in wanted[node.index].indices where wanted[node.index][stream] {
            node.relay?.want(topology.zone.streams[stream].name, at: now)
        }
        settle(node)
    }

    func setUpEvents() {
        for stream in topology.zone.streams.indices {
            for entrypoint in topology.entrypoints {
                let start = MonotonicInstant.zero + .milliseconds(100) + random.time(upTo: .milliseconds(400))
                events.schedule(.encoder(stream: stream, entrypoint: entrypoint), at: start)
            }
        }
        for edge in topology.edges {
            for stream in topology.zone.streams.indices {
                let at = MonotonicInstant.zero + .milliseconds(1_500) + random.time(upTo: .milliseconds(1_000))
                events.schedule(.fault(.want(edge: edge, stream: stream)), at: at)
            }
        }
        let window = MonotonicInstant.zero + Self.faultsFrom..<calmAt
        for (at, fault) in FaultPlan(options.scenario, in: topology, window: window, &random).faults {
            events.schedule(.fault(fault), at: at)
        }
        if options.scenario.hasInsiders { events.schedule(.insiders, at: .zero + .milliseconds(300)) }
        events.schedule(.inspect, at: .zero + .milliseconds(50))
        events.schedule(.judgeLiveness, at: calmAt + Self.recovery)
        if options.scenario.hasIntruder || options.canary == .acceptForgeries {
            intruder = Intruder(networkKey: Self.networkKey, seed: random.next())
            events.schedule(.intrude, at: .zero + .seconds(1))
        }
    }

    // MARK: Faults

    func apply(_ fault: Fault, _ event: Event) {
        tell("\(fault)")
        switch fault {
        case .crash(let host): crash(host)
        case .start(let host): start(nodes[host])
        case .crashParent(let edge, let stream, let back):
            let name = topology.zone.streams[stream].name
            let path = nodes[edge].relay?.census.paths.first { $0.stream == name && !$0.isLeaving }
            guard let path, let parent = topology.index(of: path.parent) else { return }
            crash(parent)
            events.schedule(.fault(.start(host: parent)), at: now + back)
        case .pause(let host, let span): nodes[host].pause(until: now + span)
        case .edit(let region, let portset, let parents): zone.edit(region, portset, parents: parents)
        case .nameServers(let isDown): zone.isDown = isDown
        case .want(let edge, let stream):
            wanted[edge][stream] = true
            if postponed(event, edge) { return }
            nodes[edge].receiver?.want(stream, at: now)
            nodes[edge].relay?.want(topology.zone.streams[stream].name, at: now)
            settle(nodes[edge])
        case .release(let edge, let stream):
            if postponed(event, edge) { return }
            wanted[edge][stream] = false
            lastWanted = now
            nodes[edge].relay?.release(topology.zone.streams[stream].name, at: now)
            settle(nodes[edge])
        case .calm:
            calmLinks()
            intruder = nil
            for node in nodes { start(node) }
        }
        note(2, UInt64(bitPattern: now.nanoseconds), UInt64(nodes.count { $0.isUp }))
    }

    private func crash(_ host: Int) {
        guard nodes[host].isUp else { return }
        counts.crashes += 1
        tell("\(nodes[host].host.name) crashes")
        nodes[host].crash()
    }
}
