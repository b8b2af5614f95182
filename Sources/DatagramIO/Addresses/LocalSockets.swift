import CDatagram
import ReflectorModel

/// The sockets of an owner with several addresses: one socket for each address, or a pair bound to 0.0.0.0 and `::`.
/// Datagrams are sent from the address that the peer knows, since peers accept no other.
///
/// Each address has a small number, starting at 1. `number(of:on:)` returns it for a received datagram, and
/// `DatagramBatch.Entry.local` sets it for a datagram to send. Use this class only on the loop of the sockets.
public final class LocalSockets {
    private struct Known {
        var socket: Int
        var address: IPAddress
        /// The interface of a link-local address.
        var interface: UInt32
    }

    /// Maximum number of addresses. Replies to datagrams that arrive at further addresses are sent from the address
    /// that the kernel selects, and such datagrams are counted.
    static let countMax = 255

    /// In the order in which they were added.
    public private(set) var sockets: [DatagramSocket] = []
    private var known: [Known] = []
    private var lastFound = 0
    /// Index of the socket for IPv4 datagrams without a number.
    private var firstV4: Int?
    private var firstV6: Int?
    /// Datagrams not sent because no socket has the family of their destination.
    public private(set) var unsentWrongFamily: UInt64 = 0
    /// Datagrams received at an address without a number, because all numbers were used.
    public private(set) var receivedUnnumbered: UInt64 = 0

    public init() {}

    /// Adds a socket that belongs, or will belong, to the loop.
    public func add(_ socket: DatagramSocket) {
        socket.tag = sockets.count
        sockets.append(socket)
        if socket.local.address.isV4 {
            firstV4 = firstV4 ?? socket.tag
        } else {
            firstV6 = firstV6 ?? socket.tag
        }
        // Wildcard sockets learn their addresses from received datagrams.
        if !socket.isWildcard { _ = learn(socket.local.address, interface: 0, of: socket.tag) }
    }

    /// Where the sockets are bound.
    public var endpoints: [Endpoint] { sockets.map(\.local) }

    /// The number of the address that a datagram was sent to; 0 if the address has none.
    public func number(of datagram: ReceivedDatagram, on socket: DatagramSocket) -> UInt8 {
        if lastFound < known.count, known[lastFound].socket == socket.tag, known[lastFound].address == datagram.local {
            return UInt8(truncatingIfNeeded: lastFound + 1)
        }
        if let index = known.firstIndex(where: { $0.socket == socket.tag && $0.address == datagram.local }) {
            lastFound = index
            return UInt8(truncatingIfNeeded: index + 1)
        }
        // A reply to a multicast or broadcast datagram must not use that address as its source.
        guard socket.isWildcard, datagram.local.isUnicast else { return 0 }
        let interface = datagram.local.isLinkLocal ? datagram.interface : 0
        guard let number = learn(datagram.local, interface: interface, of: socket.tag) else {
            receivedUnnumbered &+= 1
            return 0
        }
        return number
    }

    /// Sends every datagram of `batch` through its socket; datagrams to one destination stay in order.
    public func send(_ batch: DatagramBatch) {
        guard !batch.isEmpty else { return }
        if sockets.count == 1, !sockets[0].isWildcard { return sockets[0].send(batch) }
        if firstV4 == nil || firstV6 == nil { countWrongFamily(batch) }
        for socket in sockets { socket.send(batch, of: self) }
    }

    func leaves(_ entry: DatagramBatch.Entry, by socket: DatagramSocket) -> Bool {
        if entry.local != 0, Int(entry.local) <= known.count { return known[Int(entry.local) - 1].socket == socket.tag }
        return (entry.destination.address.isV4 ? firstV4 : firstV6) == socket.tag
    }

    func setSource(of message: inout cdg_outgoing, _ number: UInt8) {
        guard number != 0, Int(number) <= known.count else { return }
        let own = known[Int(number) - 1]
        message.has_source = true
        message.source = cdg_address(own.address)
        message.interface = own.interface
    }

    private func learn(_ address: IPAddress, interface: UInt32, of socket: Int) -> UInt8? {
        guard known.count < Self.countMax else { return nil }
        known.append(Known(socket: socket, address: address, interface: interface))
        return UInt8(known.count)
    }

    private func countWrongFamily(_ batch: DatagramBatch) {
        for entry in batch.entries where (entry.destination.address.isV4 ? firstV4 : firstV6) == nil {
            unsentWrongFamily &+= 1
        }
    }
}

extension IPAddress {
    /// Neither multicast, nor broadcast, nor unspecified.
    fileprivate var isUnicast: Bool {
        if isUnspecified { return false }
        return isV4 ? v4 >> 28 != 0xe && v4 != .max : high >> 56 != 0xff
    }
}
