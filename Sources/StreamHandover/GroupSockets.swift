import DatagramIO
import ReflectorModel

/// The sockets through which outputs send: one for each family and interface in use. They belong to the loop.
struct GroupSockets {
    private struct Key: Hashable {
        var isV4: Bool
        var interface: String?

        init(_ destination: Destination) {
            isV4 = destination.endpoint.address.isV4
            interface = destination.group?.interface
        }
    }

    /// As many as the operator names interfaces, twice.
    private var sockets: [Key: DatagramSocket] = [:]

    /// The socket for a destination, opened if necessary.
    mutating func socket(for destination: Destination) throws(DatagramError) -> DatagramSocket {
        let key = Key(destination)
        if let socket = sockets[key] { return socket }
        var options = DatagramSocketOptions()
        // Receivers are programs of all kinds, and a run of two or three datagrams saves little.
        options.segmentationOffload = false
        options.receiveBufferBytes = 0
        options.pathMTU = .system
        let any = key.isV4 ? IPAddress(v4: 0) : IPAddress(high: 0, low: 0)
        let socket = try DatagramSocket(bind: Endpoint(address: any, port: 0), options: options)
        if let interface = key.interface { try socket.sendGroups(through: interface) }
        sockets[key] = socket
        return socket
    }

    /// Opens the sockets of an interface again: it may have been removed and made again, under another number.
    mutating func reopen(_ destination: Destination) { sockets[Key(destination)] = nil }

    /// The socket for a destination, if it is open.
    func open(for destination: Destination) -> DatagramSocket? { sockets[Key(destination)] }
}
