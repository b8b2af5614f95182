import ReflectorModel
import RelayCore

/// What the invariant checks know of a host: what its node may send, how often it wakes, and what survives a restart.
final class ObservedHost {
    let host: SimulatedHosts.Host
    let node: VirtualNode
    /// The streaming server; only edges have one.
    let receiver: EdgeReceiver?
    var ledger = AddressLedger()
    var held = PossessionTable()
    /// Stands for the state file: the newest good answer for each name, in the order in which the names were first
    /// saved.
    private var remembered: [(name: ReflectorName, answer: LookUpAnswer)] = []

    /// Wake-ups by timer since the last inspection.
    var wakes = 0
    /// Whether the node had no links and no streams at the last inspection.
    var wasIdle = false
    private var wakesAtOnce = 0
    private(set) var lastWake = MonotonicInstant.zero
    var leavingSince: [StreamName: MonotonicInstant] = [:]

    init(_ host: SimulatedHosts.Host, node: VirtualNode, receiver: EdgeReceiver?) {
        self.host = host
        self.node = node
        self.receiver = receiver
    }

    /// Resets the observations when the node starts, and gives the node the answers from its state file.
    func noteStart(at now: MonotonicInstant) {
        ledger.reset()
        held.reset()
        leavingSince = [:]
        wasIdle = false
        for (name, answer) in remembered { node.relay?.restore(name, answer, at: now) }
    }

    func remember(_ name: ReflectorName, _ answer: LookUpAnswer) {
        if let index = remembered.firstIndex(where: { $0.name == name }) {
            remembered[index].answer = answer
        } else if remembered.count < 256 {
            remembered.append((name, answer))
        }
    }

    /// Counts a wake-up. True if it is the fiftieth repetition in a row at the same instant.
    func noteWake(at now: MonotonicInstant) -> Bool {
        wakes += 1
        wakesAtOnce = lastWake == now ? wakesAtOnce + 1 : 0
        lastWake = now
        return wakesAtOnce == 50
    }
}
