import ReflectorModel
import RelayCore

/// What a scenario adds to a `VirtualNetwork`: the events of its script, the fate of each datagram, and what it
/// observes.
///
/// Of the methods, only `handle` and `transmit` are required. During each call, `now` of the network is the present
/// instant.
protocol NetworkScenario<Event>: AnyObject {
    /// What the scenario schedules: a packet of an encoder, a fault, an inspection.
    associatedtype Event

    /// An event that the scenario scheduled is due.
    func handle(_ event: Event)

    /// A node sends a datagram. The scenario decides whether and when it arrives, and calls `VirtualNetwork.send`.
    func transmit(_ datagram: OutgoingDatagram, from node: VirtualNode)

    /// A node asks the name server. By default the answer of `VirtualNetwork.names` comes at once.
    func lookUp(_ name: ReflectorName, by node: VirtualNode)

    /// A node requests an action other than a look-up.
    func perform(_ action: RelayAction, of node: VirtualNode)

    /// A datagram reaches a host, whether or not a process runs there.
    func willReceive(_ bytes: UnsafeRawBufferPointer, from source: Endpoint, at node: VirtualNode)

    /// A node's timer has fired.
    func willWake(_ node: VirtualNode)

    /// A node has handled its input and has sent its datagrams.
    func didSettle(_ node: VirtualNode)

    /// The network that the scenario runs on.
    var network: VirtualNetwork<Event> { get }
}

extension NetworkScenario {
    func lookUp(_ name: ReflectorName, by node: VirtualNode) {
        node.relay?.lookUpFinished(name, network.names.answer(name), at: network.now)
    }
    func perform(_ action: RelayAction, of node: VirtualNode) {}
    func willReceive(_ bytes: UnsafeRawBufferPointer, from source: Endpoint, at node: VirtualNode) {}
    func willWake(_ node: VirtualNode) {}
    func didSettle(_ node: VirtualNode) {}
}

/// A datagram that a node has just sent. Its bytes are valid only during the call that passes it.
struct OutgoingDatagram {
    var destination: Endpoint
    /// Number of the sender's own address, as in `DatagramBatch.Entry.local`.
    var local: UInt8
    var header: UnsafeRawBufferPointer
    var body: UnsafeRawBufferPointer

    init(_ entry: DatagramBatch.Entry, header: UnsafeRawBufferPointer) {
        destination = entry.destination
        local = entry.local
        self.header = header
        body = UnsafeRawBufferPointer(start: entry.body, count: Int(entry.bodyLength))
    }

    var length: Int { header.count + body.count }

    /// A copy of header and body, contiguous.
    var bytes: [UInt8] {
        var bytes = [UInt8]()
        bytes.reserveCapacity(length)
        bytes.append(contentsOf: header)
        bytes.append(contentsOf: body)
        return bytes
    }
}
