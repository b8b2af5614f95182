import ReflectorModel
import RelayCore

/// The network and clock of every simulation: nodes, datagrams on their way, the events of a scenario, and a name
/// server, in virtual time.
///
///     soonest of │ datagram arrives ─▶ receive ┐
///                │ scenario's event ─▶ handle  ├─▶ settle: actions, look-ups, datagrams to send, next wake-up
///                │ node wakes ─▶ handleTimeout ┘
///
/// At the same instant timers come last, because a real event loop drains its socket first too. Datagrams and events of
/// the same instant keep the order in which they were scheduled, and nodes wake in the order of their numbers. So the
/// seed determines the whole run.
final class VirtualNetwork<Event> {
    private struct Flight {
        var from: Endpoint
        var to: Int32
        var local: UInt8
        var slot: Int32
        /// How long it takes, and an ICMP message on the way back.
        var span: TimeSpan
    }

    /// An ICMP message to the sender of a datagram: nobody listens on the port to which it was sent.
    private struct Refusal {
        var to: Int32
        var about: Endpoint
        /// The datagram.
        var slot: Int32
    }

    private enum Scheduled {
        case datagram(Flight)
        case refusal(Refusal)
        case event(Event)
    }

    private(set) var now = MonotonicInstant.zero
    private(set) var nodes: [VirtualNode] = []
    /// Datagrams that arrived, events and wake-ups so far.
    private(set) var steps: UInt64 = 0
    /// Datagrams that did not fit into a paused node's socket.
    private(set) var socketDrops: UInt64 = 0
    /// The node that settled most recently.
    private(set) var lastSettled = 0
    /// The answers to look-ups.
    var names = SimulatedNames()
    /// Set once, by the scenario that owns the network.
    /// It outlives the network's last step, so it is not counted for each call.
    unowned(unsafe) var scenario: (any NetworkScenario<Event>)?

    private var addresses: [Endpoint: (node: Int32, local: UInt8)] = [:]
    private let pool = DatagramPool()
    private var queue = EventQueue<Scheduled>()
    private var wakes = WakeTree()

    // MARK: Nodes

    /// Adds a node, which does not run yet.
    @discardableResult
    func add(_ setUp: NodeSetUp, at endpoint: Endpoint? = nil) -> VirtualNode {
        let index = nodes.count
        let endpoint = endpoint ?? NodeAddress.endpoint(index)
        let node = VirtualNode(index: index, setUp, endpoint: endpoint)
        nodes.append(node)
        wakes.grow(to: nodes.count)
        addresses[endpoint] = (Int32(index), 0)
        return node
    }

    /// Adds a node whose process already runs, with secrets that the caller chose.
    func add(_ setUp: NodeSetUp, running relay: RelayNode, at endpoint: Endpoint) {
        add(setUp, at: endpoint).adopt(relay)
    }

    /// Replaces the addresses of a node; the new ones get the numbers 1, 2, …. An empty list takes the node off the
    /// network.
    func setAddresses(_ endpoints: [Endpoint], of node: VirtualNode) {
        for endpoint in node.addresses where addresses[endpoint]?.node == Int32(node.index) {
            addresses[endpoint] = nil
        }
        node.addresses = endpoints
        for (place, endpoint) in endpoints.enumerated() {
            addresses[endpoint] = (Int32(node.index), UInt8(place + 1))
        }
    }

    func node(at endpoint: Endpoint) -> VirtualNode? { addresses[endpoint].map { nodes[Int($0.node)] } }

    func node(_ name: String) -> VirtualNode? { nodes.first { $0.name == name } }

    /// Starts a node's process with secrets that follow from its seed.
    func start(_ node: VirtualNode) {
        let seed = FixedHash.combine(node.setUp.seed, UInt64(node.life / 2 + 1))
        node.start(crypto: SimulatedCrypto(operatorKey: 0x11fe, seed: seed), seed: seed, at: now)
    }

    /// Starts a node's process with these secrets.
    func start(_ node: VirtualNode, crypto: SimulatedCrypto, seed: UInt64) {
        node.start(crypto: crypto, seed: seed, at: now)
    }

    /// Ends the process of a node: its state is gone, and datagrams to it are lost.
    func crash(_ node: VirtualNode) {
        for datagram in node.emptySocket() { pool.remove(datagram.slot) }
        node.crash()
        wakes.set(node.index, .distantFuture)
    }

    /// Pauses the process of a node: datagrams to it wait in its socket.
    func pause(_ node: VirtualNode, until: MonotonicInstant) {
        guard node.isUp else { return }
        node.pause(until: until)
        wakes.set(node.index, node.nextTimeout == .distantFuture ? node.pausedUntil : node.nextTimeout)
    }

    /// Wakes a node at this instant or earlier.
    func wake(_ node: VirtualNode, noLaterThan at: MonotonicInstant) {
        wakes.set(node.index, min(wakes[node.index], at))
    }

    // MARK: Scheduling

    func schedule(_ event: Event, at: MonotonicInstant) { queue.schedule(.event(event), at: at) }

    /// Puts a datagram in flight. Does nothing if no node has the destination address.
    func send(
        _ datagram: OutgoingDatagram, from source: Endpoint, at: MonotonicInstant, copyAt: MonotonicInstant? = nil
    ) {
        guard let (node, local) = addresses[datagram.destination] else { return }
        let flight = Flight(
            from: source, to: node, local: local, slot: pool.insert(datagram.header, datagram.body), span: at - now)
        launch(flight, at: at, copyAt: copyAt)
    }

    /// Puts bytes in flight to a node, as if they came from `source`.
    func send(
        _ bytes: [UInt8], from source: Endpoint, to node: VirtualNode, at: MonotonicInstant,
        copyAt: MonotonicInstant? = nil
    ) {
        let slot = bytes.withUnsafeBytes { pool.insert($0, UnsafeRawBufferPointer(start: nil, count: 0)) }
        let flight = Flight(from: source, to: Int32(node.index), local: 0, slot: slot, span: at - now)
        launch(flight, at: at, copyAt: copyAt)
    }

    private func launch(_ flight: Flight, at: MonotonicInstant, copyAt: MonotonicInstant?) {
        queue.schedule(.datagram(flight), at: at)
        guard let copyAt else { return }
        var copy = flight
        copy.slot = pool.copy(flight.slot)
        queue.schedule(.datagram(copy), at: copyAt)
    }

    // MARK: Running

    /// Runs everything that is due up to and including `end`.
    func run(until end: MonotonicInstant) {
        while step(until: end) {}
        advance(to: end)
    }

    /// Runs everything that is due before `end`.
    func run(before end: MonotonicInstant) {
        while step(until: end - TimeSpan(nanoseconds: 1)) {}
        advance(to: end)
    }

    /// Advances the clock. Nothing may be due before `end`.
    func advance(to end: MonotonicInstant) { now = max(now, end) }

    /// Runs the earliest datagram, event or wake-up that is due up to and including `end`. False if there is none.
    func step(until end: MonotonicInstant) -> Bool {
        let next = min(queue.next, wakes.next)
        guard next <= end else { return false }
        // A node may set a timer for an instant that has passed. The timer fires at that instant, so the clock may step
        // back.
        now = next
        steps += 1
        guard queue.next == next, let scheduled = queue.pop() else {
            wake(nodes[wakes.first])
            return true
        }
        switch scheduled {
        case .datagram(let flight): arrive(flight)
        case .refusal(let refusal): arrive(refusal)
        case .event(let event): scenario?.handle(event)
        }
        return true
    }

    private func arrive(_ flight: Flight) {
        let node = nodes[Int(flight.to)]
        scenario?.willReceive(pool[flight.slot], from: flight.from, at: node)
        guard let relay = node.relay else { return refuse(flight, by: node) }
        guard now >= node.pausedUntil else {
            guard node.keep(VirtualNode.Waiting(slot: flight.slot, from: flight.from, local: flight.local)) else {
                socketDrops += 1
                return pool.remove(flight.slot)
            }
            return wakes.set(node.index, node.pausedUntil)
        }
        relay.receive(pool[flight.slot], from: flight.from, to: flight.local, at: now)
        pool.remove(flight.slot)
        settle(node)
    }

    /// The host of a process that does not run answers a datagram with an ICMP message, if it has an address and has not
    /// sent too many.
    private func refuse(_ flight: Flight, by node: VirtualNode) {
        let place = max(Int(flight.local) - 1, 0)
        guard node.addresses.indices.contains(place), let (sender, _) = addresses[flight.from],
            nodes[Int(sender)].isUp, node.mayRefuse(flight.from, at: now)
        else { return pool.remove(flight.slot) }
        let refusal = Refusal(to: sender, about: node.addresses[place], slot: flight.slot)
        queue.schedule(.refusal(refusal), at: now + flight.span)
    }

    private func arrive(_ refusal: Refusal) {
        defer { pool.remove(refusal.slot) }
        let node = nodes[Int(refusal.to)]
        // A paused process would find it in its socket's error queue; few are paused, and it is lost here.
        guard let relay = node.relay, now >= node.pausedUntil else { return }
        relay.portUnreachable(refusal.about, quoted: pool[refusal.slot], at: now)
        settle(node)
    }

    /// Wakes a node as an event loop does: first it drains the socket, then it runs the timers.
    private func wake(_ node: VirtualNode) {
        scenario?.willWake(node)
        node.relay?.noteWakeUp(at: now)
        for datagram in node.emptySocket() {
            node.relay?.receive(pool[datagram.slot], from: datagram.from, to: datagram.local, at: now)
            pool.remove(datagram.slot)
        }
        node.relay?.handleTimeout(at: now)
        settle(node)
    }

    /// Handles the output of a node after a call: its actions, its datagrams and its next wake-up.
    func settle(_ node: VirtualNode) {
        lastSettled = node.index
        guard let relay = node.relay else { return }
        performActions(of: node, relay)
        node.drain(at: now) { scenario?.transmit($0, from: node) }
        performActions(of: node, relay)
        wakes.set(node.index, node.nextTimeout)
        scenario?.didSettle(node)
    }

    private func performActions(of node: VirtualNode, _ relay: RelayNode) {
        while let action = relay.nextAction() {
            if case .lookUp(let name) = action {
                scenario?.lookUp(name, by: node)
            } else {
                scenario?.perform(action, of: node)
            }
        }
    }
}
