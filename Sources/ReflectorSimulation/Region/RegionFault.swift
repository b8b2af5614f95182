import ReflectorModel

/// An event from outside that a region must survive. Hosts are numbers of nodes.
enum RegionFault: Equatable {
    /// kill -9.
    case kill(Int)
    case start(Int)
    /// SIGSTOP, and SIGCONT after a while.
    case stop(Int, TimeSpan)
    /// SIGTERM.
    case terminate(Int)
    /// No datagram passes from one host to another, or it does again.
    case cut(from: Int, to: Int, Bool)
    /// Between a member and all others.
    case cutLAN(Int, Bool)
    /// Between a member and all hosts outside its region.
    case cutWAN(Int, Bool)
    /// Between these members and the others.
    case split([Int])
    case nameServers(isDown: Bool)
    /// Multicast does not reach a member, nor leaves it, or it does again; everything else passes.
    case deafen(Int, Bool)
    /// From now on links only delay datagrams, and every node runs.
    case calm
}

extension RegionNetwork {
    /// Schedules random faults of all kinds, and the calm afterwards.
    func planFaults(in window: Range<MonotonicInstant>) {
        // Hosts of a set region of one machine have a fault of their own.
        let hosts = edges + sets.filter { !others(of: $0).isEmpty }
        for _ in 0..<4 + Int(random.next(below: 6)) {
            let at = window.lowerBound + random.time(upTo: window.upperBound - window.lowerBound)
            let length = TimeSpan.milliseconds(100) + random.time(upTo: random.chance(0.5) ? .seconds(1) : .seconds(6))
            let end = min(at + length, window.upperBound)
            let host = random.pick(hosts)
            switch random.next(below: 11) {
            case 0, 1:
                schedule(.kill(host), at: at)
                schedule(.start(host), at: end)
            case 2: schedule(.stop(host, end - at), at: at)
            case 3:
                schedule(.terminate(host), at: at)
                schedule(.start(host), at: end + .seconds(3))
            case 4:
                schedule(.cutLAN(host, true), at: at)
                schedule(.cutLAN(host, false), at: end)
            case 5:
                schedule(.cutWAN(host, true), at: at)
                schedule(.cutWAN(host, false), at: end)
            case 6:
                let other = random.pick(edges + sets)
                schedule(.cut(from: host, to: other, true), at: at)
                schedule(.cut(from: host, to: other, false), at: end)
            case 7:
                let some = ([host] + others(of: host)).sorted().filter { _ in random.chance(0.5) }
                schedule(.split(some), at: at)
                for one in some { schedule(.cutLAN(one, false), at: end) }
            case 8:
                let set = random.pick(sets)
                schedule(.kill(set), at: at)
                schedule(.start(set), at: end)
            case 9:
                schedule(.deafen(host, true), at: at)
                schedule(.deafen(host, false), at: end)
            default:
                schedule(.nameServers(isDown: true), at: at)
                schedule(.nameServers(isDown: false), at: end)
            }
        }
        schedule(.calm, at: window.upperBound)
    }
}
