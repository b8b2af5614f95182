import ReflectorModel
import RelayCore

/// Nodes with certificates that are not in the zone. Two are entrypoints, one of them under the name of an honest
/// one: they announce every stream and send payloads of their own. The third is an edge: it is the first to subscribe
/// to each stream, with a wrong portset, and then requests new names without end. Honest viewers must not notice.
extension FaultSimulation {
    private static var insiderInterval: TimeSpan { .milliseconds(50) }
    private static var namesAtOnce: UInt64 { 4 }
    private static var namesKept: UInt64 { 60 }

    func actAsInsiders() {
        network.schedule(.insiders, at: now + Self.insiderInterval)
        for index in topology.insiders {
            let node = hosts[index].node
            guard let relay = node.relay else { continue }
            if topology.hosts[index].role == .entrypoint { announceFalsely(relay) } else { floodNames(relay) }
            network.settle(node)
        }
    }

    private func announceFalsely(_ relay: RelayNode) {
        for stream in topology.zone.streams where relay.provide(stream.name, at: now) {
            withUnsafeBytes(of: UInt64.max) { relay.ingest($0, stream: stream.name, at: now) }
        }
    }

    private func floodNames(_ relay: RelayNode) {
        for stream in topology.zone.streams { relay.want(stream.name, at: now) }
        for _ in 0..<Self.namesAtOnce {
            insiderNames += 1
            if let name = StreamName("junk/n\(insiderNames)") { relay.want(name, at: now) }
            guard insiderNames > Self.namesKept else { continue }
            if let name = StreamName("junk/n\(insiderNames - Self.namesKept)") { relay.release(name, at: now) }
        }
    }

    /// The answer that the name server gives to the insider edge. To a query for the candidates of a stream, it gives
    /// the candidates and the portset of another stream. All other answers are true.
    func lie(_ name: ReflectorName) -> LookUpResult {
        guard case .candidates(let stream) = name, let first = topology.zone.streams.first else {
            return network.names.answer(name)
        }
        let other = topology.zone.streams.last { $0.name != stream } ?? first
        guard case .records(var answer) = network.names.answer(.candidates(other.name)) else {
            return .noSuchName(serial: nil)
        }
        answer.portset = other.portset
        return .records(answer)
    }

    /// Checks that no honest node fetches from an insider. Also checks that no set reflector fetches from an entrypoint
    /// if the map names parents for that set reflector.
    func checkSources(_ snapshot: RelaySnapshot, of host: ObservedHost) {
        guard options.scenario.hasInsiders else { return }
        for path in snapshot.paths {
            if let parent = network.node(at: path.parent)?.index, topology.hosts[parent].isInsider {
                violate("\(host.node.name) fetches \(path.stream) from an insider")
            }
            guard host.host.role == .set, let region = host.host.region, path.rank == 0,
                let stream = zone.streams.first(where: { $0.name == path.stream })
            else { continue }
            if !zone.parents(of: region, stream.portset).isEmpty {
                violate("\(host.node.name) fetches \(path.stream) from an entrypoint against the map")
            }
        }
    }
}
