import ReflectorModel
import RelayWire
import Testing

@testable import RelayCore

private func endpoint(_ number: UInt32) -> Endpoint {
    Endpoint(address: IPAddress(v4: 0x0a00_0000 + number), port: 4900)
}

private func candidate(_ number: UInt32, rank: UInt8 = 1) -> ParentCandidate {
    ParentCandidate(name: "host-\(number)", endpoint: endpoint(number), rank: rank, cause: "test")
}

private func answer(_ numbers: UInt32..., serial: UInt32 = 7) -> LookUpAnswer {
    let hosts = numbers.enumerated().map { index, number in
        ResolvedHost(name: "host-\(number)", endpoint: endpoint(number), priority: UInt16(index), weight: 1)
    }
    return LookUpAnswer(hosts: hosts, ttlSeconds: 20, text: ["set=x"], serial: serial)
}

extension CandidateList {
    fileprivate var names: [String] { all.map(\.name) }
}

@Suite("Candidate list: parents from the DNS")
struct ParentCandidateListTests {
    private let region = RegionID(1283)
    private let portset = PortsetID(4096)

    private func add(
        _ answer: LookUpAnswer, of rank: ParentRank = .first, to list: inout CandidateList,
        own: [IPAddress] = [], except name: String = "self"
    ) -> Bool {
        let parents = CandidateList.parents(in: answer, of: rank, region, portset, by: AddressOrder(own: own))
        list.add(parents, except: NodeID(name: name))
        return !parents.isEmpty || answer.hosts.isEmpty
    }

    @Test("Ranks are in order, and a host in two ranks appears once, in the better one")
    func ranks() {
        var list = CandidateList()
        #expect(add(answer(1), to: &list))
        #expect(add(answer(1, 2), of: .second, to: &list))
        #expect(add(answer(3), of: .third, to: &list))
        #expect(list.names == ["host-1", "host-2", "host-3"])
        #expect(list.all.map(\.rank) == [1, 2, 3])
        #expect(list.place(of: endpoint(2)) == 1)
        #expect(list.place(of: endpoint(9)) == nil)
    }

    @Test("A candidate names the answer that it comes from")
    func cause() {
        var list = CandidateList()
        _ = add(answer(1, serial: 42), to: &list)
        #expect(list.all.first?.cause == ReflectorName.parents(.first, region, portset).description)
        #expect(list.all.first?.answer == "set=x")
        #expect(list.all.first?.serial == 42)
    }

    @Test("A node is never its own parent")
    func own() {
        var list = CandidateList()
        #expect(add(answer(1, 2), to: &list, except: "host-1"))
        #expect(list.names == ["host-2"])
    }

    @Test("An answer with only hosts of another address family is distinguished from an empty one")
    func families() {
        var list = CandidateList()
        let v6 = IPAddress(high: 0x2001_0db8_0000_0000, low: 1)
        #expect(!add(answer(1), to: &list, own: [v6]))
        #expect(list.isEmpty)
        #expect(add(answer(), to: &list, own: [v6]))
        #expect(add(answer(1), to: &list, own: [IPAddress(v4: 0)]))
        #expect(list.names == ["host-1"])
    }
}

@Suite("Candidate list: entrypoints")
struct EntrypointCandidateListTests {
    private func list(
        announced: [ParentCandidate], listed: LookUpAnswer?, serving: [Endpoint] = [], resumed: String? = nil,
        leader: NodeID? = nil, unheard: Set<String> = []
    ) -> CandidateList {
        CandidateList.entrypoints(
            announced: announced, listed: listed, cause: "test", by: AddressOrder(), isServing: serving.contains,
            resumed: resumed, leader: leader, isUnheard: { unheard.contains($0) })
    }

    @Test("Entrypoints that announce come first, in the zone's order, then the others")
    func order() {
        let found = list(
            announced: [candidate(3, rank: 0), candidate(2, rank: 0)], listed: answer(1, 2, 3))
        #expect(found.names == ["host-2", "host-3", "host-1"])
        #expect(found.all.allSatisfy { $0.rank == 0 })
    }

    @Test("The entrypoint that leads the stream comes before those ahead of it in the zone")
    func leader() {
        let announced = [candidate(1, rank: 0), candidate(2, rank: 0), candidate(3, rank: 0)]
        let found = list(announced: announced, listed: answer(1, 2, 3), leader: NodeID(name: "host-3"))
        #expect(found.names == ["host-3", "host-1", "host-2"])
    }

    @Test("An entrypoint that already serves needs no announcement, even at another of its addresses")
    func serving() {
        #expect(list(announced: [], listed: answer(1, 2), serving: [endpoint(2)]).names == ["host-2", "host-1"])
        var twoAddresses = answer(1)
        twoAddresses.hosts.append(ResolvedHost(name: "host-1", endpoint: endpoint(101), priority: 0, weight: 1))
        let found = list(announced: [], listed: twoAddresses, serving: [endpoint(101)])
        #expect(found.all.map(\.endpoint) == [endpoint(101)])
        #expect(found.all.first?.others == [endpoint(1)])
    }

    @Test("Without the zone's list, the entrypoint whose packets the children had comes first")
    func resumed() {
        let announced = [candidate(1, rank: 0), candidate(2, rank: 0)]
        #expect(list(announced: announced, listed: nil).names == ["host-1", "host-2"])
        #expect(list(announced: announced, listed: nil, resumed: "host-2").names == ["host-2", "host-1"])
        // The zone's order has priority.
        #expect(list(announced: announced, listed: answer(1, 2), resumed: "host-2").names == ["host-1", "host-2"])
    }

    @Test("If children resume an unannounced incarnation, hosts that have announced nothing come first")
    func unheard() {
        let found = list(announced: [candidate(1, rank: 0)], listed: answer(1, 2, 3), unheard: ["host-3"])
        #expect(found.names == ["host-3", "host-1", "host-2"])
    }

    @Test("Without announcements and without the zone's list, there are no candidates")
    func nobody() { #expect(list(announced: [], listed: nil).isEmpty) }
}

@Suite("Candidate list: choosing")
struct CandidateChoiceTests {
    private let list = CandidateList([candidate(1), candidate(2), candidate(3, rank: 2), candidate(4, rank: 3)])

    private func soonest(
        unwilling: Set<String> = [], avoided: [String: Int64] = [:], shedding: Set<String> = []
    ) -> String? {
        list.soonest(
            isWilling: { !unwilling.contains($0.name) }, avoidedUntil: { instant(avoided[$0.name] ?? 0) },
            isShedding: { shedding.contains($0.name) })?.name
    }

    @Test("The first candidate is chosen unless it refused, failed or is shedding")
    func soonest() {
        #expect(soonest() == "host-1")
        #expect(soonest(unwilling: ["host-1"]) == "host-2")
        #expect(soonest(avoided: ["host-1": 50]) == "host-2")
        #expect(soonest(shedding: ["host-1", "host-2"]) == "host-3")
    }

    @Test("If all failed, the one that may be tried soonest is chosen; shedding only breaks ties")
    func inNeed() {
        let avoided: [String: Int64] = ["host-1": 50, "host-2": 20, "host-3": 30, "host-4": 20]
        #expect(soonest(avoided: avoided) == "host-2")
        #expect(soonest(avoided: avoided, shedding: ["host-2"]) == "host-4")
        #expect(soonest(avoided: avoided, shedding: ["host-2", "host-4"]) == "host-2")
    }

    @Test("If no candidate is willing, none is chosen")
    func nobody() { #expect(soonest(unwilling: ["host-1", "host-2", "host-3", "host-4"]) == nil) }

    @Test("Only candidates before the current parent are better than it")
    func before() {
        #expect(list.first(before: 0) { _ in true } == nil)
        #expect(list.first(before: 2) { _ in true }?.name == "host-1")
        #expect(list.first(before: 2) { $0.name != "host-1" }?.name == "host-2")
        #expect(list.first(before: 2) { $0.rank > 1 } == nil)
    }

    @Test("Reserves: the two best before the current parent, the next after it, the first of each other rank")
    func reserves() {
        #expect(list.reserves(for: candidate(1)).map(\.name) == ["host-2", "host-3", "host-4"])
        #expect(list.reserves(for: candidate(4, rank: 3)).map(\.name) == ["host-1", "host-2", "host-1", "host-3"])
        // A parent that the zone no longer names is treated like the first candidate.
        #expect(list.reserves(for: candidate(9)).map(\.name).first == "host-2")
    }
}
