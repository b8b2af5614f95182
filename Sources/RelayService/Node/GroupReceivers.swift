import DatagramIO
import Logging
import ReflectorModel
import RelayCore

/// The sockets that receive groups of the LAN: one for each group, because a socket that joins many gets the datagrams of
/// all of them, and may join only 20. They belong to the node's loop.
struct GroupReceivers {
    private let interface: String
    private let logger: Logger
    private var sockets: [Endpoint: DatagramSocket] = [:]
    /// Only the first failure is logged. A stream whose group cannot be received comes as a copy from another member.
    private var hasFailed = false

    init(_ lan: LANFeedConfiguration, logger: Logger) {
        interface = lan.interface
        self.logger = logger
    }

    /// At most this many groups are received at once.
    static let countMax = Int(LanGroups.countMax)
    /// For a second of the largest streams.
    private static let receiveBufferBytes = 4 << 20

    mutating func join(_ group: Endpoint, on loop: DatagramLoop) {
        guard sockets[group] == nil, sockets.count < Self.countMax else { return }
        do throws(DatagramError) {
            var options = DatagramSocketOptions()
            options.reuseAddress = true
            options.receiveBufferBytes = Self.receiveBufferBytes
            let socket = try DatagramSocket(bind: group, options: options)
            try socket.join(group.address, on: interface)
            try loop.add(socket)
            sockets[group] = socket
        } catch {
            guard !hasFailed else { return }
            hasFailed = true
            logger.warning(
                "cannot receive a multicast group: its streams come as copies from the other members",
                metadata: [
                    "group": "\(group)", "interface": "\(interface)", "problem": "\(error)",
                    "remedy": "check --lan: the interface must exist, be up, and have an address of the groups' family",
                ])
        }
    }

    mutating func leave(_ group: Endpoint, on loop: DatagramLoop) {
        guard let socket = sockets.removeValue(forKey: group) else { return }
        loop.remove(socket)
    }

    /// Their counters, for the status.
    var all: [DatagramSocket] { Array(sockets.values) }
}
