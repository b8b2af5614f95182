import ReflectorModel

/// The links between all pairs of hosts of a simulated network. Each pair has its own delay, the same in both directions.
struct SimulatedLinks {
    private let hosts: Int
    /// One for each ordered pair of hosts.
    private var delays: [TimeSpan]
    private var links: [LinkImpairment] = []

    /// - Parameter delayMax: the delays are between half a millisecond and half a millisecond more than this.
    init(hosts: Int, delayMax: TimeSpan, _ random: inout SeededGenerator) {
        self.hosts = hosts
        delays = Array(repeating: .zero, count: hosts * hosts)
        for a in 0..<hosts {
            for b in a..<hosts {
                let delay = TimeSpan.microseconds(500) + random.time(upTo: delayMax)
                delays[a * hosts + b] = delay
                delays[b * hosts + a] = delay
            }
        }
    }

    /// From now on all links have these impairments besides their delay.
    mutating func impair(_ options: ImpairmentOptions, _ random: inout SeededGenerator) {
        links = delays.map { delay in
            var link = options
            link.delay = delay
            return LinkImpairment(link, seed: random.next())
        }
    }

    mutating func admit(bytes: Int, from: Int, to: Int, at now: MonotonicInstant) -> LinkImpairment.Verdict {
        links[from * hosts + to].admit(bytes: bytes, at: now)
    }
}

/// A hash of everything that happens in a run: equal for equal runs, in every process.
struct RunDigest {
    private(set) var value: UInt64

    init(seed: UInt64) { value = FixedHash.mix(seed) }

    /// A datagram has arrived.
    mutating func add(
        _ bytes: UnsafeRawBufferPointer, from source: Endpoint, to node: VirtualNode, at now: MonotonicInstant
    ) {
        var hash = KeyedHash(key: value)
        hash.add(UInt64(bitPattern: now.nanoseconds))
        hash.add(UInt64(node.index) << 32 | UInt64(source.address.v4))
        hash.add(bytes)
        value = hash.value
    }

    /// Something else has happened.
    mutating func add(_ kind: UInt64, _ a: UInt64, _ b: UInt64) {
        value = FixedHash.combine(value ^ kind, a &* 31 &+ b)
    }
}
