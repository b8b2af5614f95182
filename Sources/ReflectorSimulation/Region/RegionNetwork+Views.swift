import ReflectorModel
import RelayCore

/// What the nodes of a `RegionNetwork` do: who leads, fetches and serves each stream.
extension RegionNetwork {
    /// The members of a region that say of themselves that they lead the stream.
    func leaders(of stream: Int, in region: Int = 0) -> [Int] {
        regions[region].filter { node($0).relay?.leadsInRegion(zone.streams[stream].name) == true }
    }

    /// The members of a region that fetch the stream from outside.
    func fetchers(of stream: Int, in region: Int = 0) -> [Int] {
        regions[region].filter { host in hasPath(of: stream, at: host) { !isOnLAN(host, $0) } }
    }

    /// The members of a region of which a host outside fetches the stream.
    func servers(of stream: Int, in region: Int) -> [Int] {
        regions[region].filter { server in
            edges.contains { edge in !isOnLAN(edge, server) && hasPath(of: stream, at: edge) { $0 == server } }
        }
    }

    /// The members whose viewers, or hosts outside, get the stream from this region.
    func needs(_ stream: Int, _ region: Int) -> Bool {
        regions[region].contains { wanted[stream].contains($0) } || !servers(of: stream, in: region).isEmpty
    }

    private func hasPath(of stream: Int, at host: Int, to isMeant: (Int) -> Bool) -> Bool {
        let name = zone.streams[stream].name
        return node(host).relay?.snapshot.paths.contains { path in
            path.stream == name && path.isLive && network.node(at: path.parent).map { isMeant($0.index) } == true
        } ?? false
    }

    /// What the edges have lost in all, and the longest gap at any of them. It is a violation to lose anything, or to lack
    /// the newest packets of a stream that all edges want.
    func checkEdges(except stopped: Int? = nil) -> (lost: UInt64, gapMax: TimeSpan) {
        var (lost, gap) = (UInt64(0), TimeSpan.zero)
        for edge in edges where edge != stopped {
            for (stream, receipt) in (receivers[edge]?.receipts ?? []).enumerated() {
                lost += receipt.missing
                gap = max(gap, receipt.gapMax)
                if receipt.lastNumber + 20 < newest(stream) {
                    violate("\(name(of: edge)) has lost stream \(stream)")
                }
            }
        }
        if lost > 0 { violate("\(lost) packets lost") }
        return (lost, gap)
    }
}
