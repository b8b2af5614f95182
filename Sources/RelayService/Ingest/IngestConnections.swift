import NIOCore
import ReflectorModel

/// Limits the connections of encoders, in total and per address. Only connections without a valid key are evicted to
/// make room, so a client that opens connections and sends nothing locks nobody out. Lives on the ingest loop.
final class IngestConnections {
    private struct Connection {
        let id: ObjectIdentifier
        let address: IPAddress
        let channel: any Channel
    }

    private let configuration: IngestConfiguration
    private let reports: IngestReports
    /// Connections without a valid key, oldest first. At most `connectionsMax`.
    private var pending: [Connection] = []
    /// Connections with a valid key, or from an allowed address to a raw port. At most `connectionsMax` together with
    /// `pending`.
    private var proven: [ObjectIdentifier: IPAddress] = [:]

    init(configuration: IngestConfiguration, reports: IngestReports) {
        self.configuration = configuration
        self.reports = reports
    }

    /// Connections that are counted now.
    var count: Int { pending.count + proven.count }

    /// Admits a connection until it closes. Returns false, and counts the refusal, if there is no room and no other
    /// connection can be evicted.
    func admit(_ channel: any Channel) -> Bool {
        let address = Self.group(channel.remoteAddress?.ip ?? IPAddress(high: 0, low: 0))
        let fromThere = pending.count { $0.address == address } + proven.values.count { $0 == address }
        let hasRoom =
            (fromThere < configuration.connectionsPerAddressMax || evict(from: address))
            && (count < configuration.connectionsMax || evict(from: mostPending))
        guard hasRoom else {
            reports.note(.refusedTooManyConnections, ["from": "\(address)"])
            return false
        }
        let id = ObjectIdentifier(channel)
        pending.append(Connection(id: id, address: address, channel: channel))
        channel.closeFuture.assumeIsolated().whenComplete { [weak self] _ in self?.forget(id) }
        return true
    }

    /// The connection has presented a valid key, or comes from an allowed address to a raw port. From now on it is not
    /// closed to make room for another.
    func prove(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        guard let index = pending.firstIndex(where: { $0.id == id }) else { return }
        proven[id] = pending.remove(at: index).address
    }

    private func forget(_ id: ObjectIdentifier) {
        proven[id] = nil
        pending.removeAll { $0.id == id }
    }

    /// Closes the address's oldest connection without a valid key.
    private func evict(from address: IPAddress?) -> Bool {
        guard let index = pending.firstIndex(where: { $0.address == address }) else { return false }
        let connection = pending.remove(at: index)
        reports.note(.connectionsEvicted, ["from": "\(connection.address)"])
        connection.channel.close(promise: nil)
        return true
    }

    /// The address with the most connections without a valid key; on a tie, the one with the oldest connection.
    private var mostPending: IPAddress? {
        var counts: [IPAddress: Int] = [:]
        for connection in pending { counts[connection.address, default: 0] += 1 }
        let most = counts.values.max()
        return pending.first { counts[$0.address] == most }?.address
    }

    /// An IPv6 host may own a whole /64, so a /64 counts as one address.
    private static func group(_ address: IPAddress) -> IPAddress {
        address.isV4 ? address : IPAddress(high: address.high, low: 0)
    }
}
