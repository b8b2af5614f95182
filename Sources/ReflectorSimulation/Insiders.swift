import ReflectorModel
import RelayCore

/// Nodes with the network key that are not what the zone knows: two entrypoints, one of them in an honest one's name, that
/// announce every stream with payloads of their own, and an edge that is the first to ask for each stream, with a wrong
/// portset, and then for names without end. Honest viewers must not notice.
extension Simulation {
    private static var insiderInterval: TimeSpan { .milliseconds(50) }
    private static var namesAtOnce: UInt64 { 4 }
    private static var namesKept: UInt64 { 60 }

    func actAsInsiders() {
        events.schedule(.insiders, at: now + Self.insiderInterval)
        for index in topology.insiders {
            guard let relay = nodes[index].relay else { continue }
            if topology.hosts[index].role == .entrypoint { announceFalsely(relay) } else { floodNames(relay) }
            settle(nodes[index])
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

    /// What the inventor of names believes: every stream exists, in another's portset.
    func lie(_ name: ReflectorName) -> LookUpResult {
        guard case .candidates(let stream) = name, let first = topology.zone.streams.first else {
            return zone.answer(name)
        }
        let other = topology.zone.streams.last { $0.name != stream } ?? first
        guard case .records(var answer) = zone.answer(.candidates(other.name)) else { return .noSuchName(serial: nil) }
        answer.portset = other.portset
        return .records(answer)
    }

    /// Nobody honest fetches from an insider, or past the map.
    func judgeSources(_ census: RelayCensus, of node: SimulatedNode) {
        guard options.scenario.hasInsiders else { return }
        for path in census.paths {
            if let parent = topology.index(of: path.parent), topology.hosts[parent].isInsider {
                judge.broken("\(node.host.name) fetches \(path.stream) from an insider")
            }
            guard node.host.role == .set, let region = node.host.region, path.rank == 0,
                let stream = zone.streams.first(where: { $0.name == path.stream })
            else { continue }
            if !zone.parents(of: region, stream.portset).isEmpty {
                judge.broken("\(node.host.name) fetches \(path.stream) past the map")
            }
        }
    }
}
