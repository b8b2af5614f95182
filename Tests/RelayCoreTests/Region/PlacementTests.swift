import ReflectorModel
import Testing

@testable import RelayCore

@Suite("Placement of slots in a region")
struct PlacementTests {
    private static let streams = (0..<200).compactMap { StreamName("live/channel-\($0)") }
    private static func node(_ number: Int) -> NodeID { NodeID(name: "edge-\(number)") }

    /// Who leads each stream when nobody leads any yet.
    private static func place(_ members: [Int], on start: [Int?] = []) -> [Int] {
        var picture = RegionPicture(members.map { RegionPicture.Node(id: node($0)) })
        let said = streams.indices.map { stream in
            members.map { member in
                RegionPicture.Statement(
                    isWanted: true, leads: start.indices.contains(stream) && start[stream] == member)
            }
        }
        for (name, said) in zip(streams, said) { picture.count(said, of: name) }
        return zip(streams, said).map { name, said in
            let leader = picture.decide(said, of: name).leader
            return members.first { node($0) == leader } ?? -1
        }
    }

    @Test("200 streams over 8 members: none leads more than 1.25 times the mean", arguments: [2, 3, 5, 8])
    func bound(count: Int) {
        let leaders = Self.place(Array(1...count))
        for member in 1...count {
            #expect(leaders.count { $0 == member } <= (5 * 200 + 4 * count - 1) / (4 * count))
        }
        #expect(!leaders.contains(-1))
    }

    @Test("The order in which a member knows the others does not matter")
    func order() {
        #expect(Self.place([1, 2, 3, 4]) == Self.place([3, 1, 4, 2]))
    }

    @Test("When a member dies, only its streams move, and the bound holds")
    func death() {
        let before = Self.place(Array(1...8))
        let after = Self.place([1, 2, 3, 5, 6, 7, 8], on: before)
        for (old, new) in zip(before, after) where old != 4 { #expect(old == new) }
        #expect(!after.contains(4))
        let moved = zip(before, after).count { $0 != $1 }
        #expect(Double(moved) / 200 <= 1.0 / 8 + 0.05)
        for member in 1...8 { #expect(after.count { $0 == member } <= 36) }
    }

    @Test("A member that comes moves no slot by itself: live leaders keep theirs")
    func arrival() {
        let before = Self.place(Array(1...7))
        #expect(Self.place(Array(1...8), on: before) == before)
    }

    @Test("A leader above the bound has an excess, as much as others have room for")
    func excess() {
        var picture = RegionPicture([1, 2].map { RegionPicture.Node(id: Self.node($0)) })
        let mine = [
            RegionPicture.Statement(isWanted: true, leads: true), RegionPicture.Statement(isWanted: true),
        ]
        for name in Self.streams { picture.count(mine, of: name) }
        #expect(picture.excess == 75)
    }

    @Test("Of two leaders, one that has been here for long is preferred, then the one that the hash names")
    func conflict() throws {
        let name = Self.streams[0]
        let both = [RegionPicture.Statement(leads: true), RegionPicture.Statement(leads: true)]
        let first = try #require(
            [1, 2].min {
                RegionPlacement.score(of: Self.node($0), stream: name)
                    < RegionPlacement.score(of: Self.node($1), stream: name)
            })
        for order in [[1, 2], [2, 1]] {
            var picture = RegionPicture(order.map { RegionPicture.Node(id: Self.node($0)) })
            picture.count(both, of: name)
            #expect(picture.decide(both, of: name).leader == Self.node(first))
            picture = RegionPicture(
                order.map { RegionPicture.Node(id: Self.node($0), isSettled: $0 != first) })
            picture.count(both, of: name)
            #expect(picture.decide(both, of: name).leader == Self.node(3 - first))
        }
    }

    @Test("No slot goes to a member that leaves, is new, or asks others to lead, while there is another one")
    func eligibility() {
        let name = Self.streams[0]
        let nodes = [
            RegionPicture.Node(id: Self.node(1), isLeaving: true),
            RegionPicture.Node(id: Self.node(2), isSettled: false),
            RegionPicture.Node(id: Self.node(3)), RegionPicture.Node(id: Self.node(4)),
        ]
        var said = Array(repeating: RegionPicture.Statement(isWanted: true), count: 4)
        said[2].isYielding = true
        var picture = RegionPicture(nodes)
        picture.count(said, of: name)
        #expect(picture.decide(said, of: name).leader == Self.node(4))
        said[3].isYielding = true
        picture = RegionPicture(nodes)
        picture.count(said, of: name)
        #expect(picture.decide(said, of: name).leader == Self.node(2))
    }

    @Test("A member that reaches no parent gets no slots, and does not count for the bound of the others")
    func cutOff() {
        var nodes = (1...3).map { RegionPicture.Node(id: Self.node($0)) }
        nodes[0].isCutOff = true
        let said = Array(repeating: RegionPicture.Statement(isWanted: true), count: 3)
        var picture = RegionPicture(nodes)
        for name in Self.streams.prefix(12) { picture.count(said, of: name) }
        for name in Self.streams.prefix(12) { _ = picture.decide(said, of: name) }
        // 1.25 times the mean of two.
        #expect(picture.loads[0] == 0 && picture.loads.allSatisfy { $0 <= 7 })
    }

    @Test("A slot that its leader offers stays there if nobody has room, and goes to the first with room otherwise")
    func offers() {
        let name = Self.streams[0]
        let nodes = (1...2).map { RegionPicture.Node(id: Self.node($0)) }
        let offered = [RegionPicture.Statement(leads: true, isYielding: true), RegionPicture.Statement()]
        var picture = RegionPicture(nodes)
        picture.count(offered, of: name)
        let decision = picture.decide(offered, of: name)
        #expect(decision.leader == Self.node(2) && !decision.isClaimed && decision.handingOver == Self.node(1))
        // The other one leads two of three already.
        picture = RegionPicture(nodes)
        for other in Self.streams[1...2] {
            picture.count([RegionPicture.Statement(), RegionPicture.Statement(leads: true)], of: other)
        }
        picture.count(offered, of: name)
        #expect(picture.decide(offered, of: name).leader == Self.node(1))
    }

    @Test("One that leads and reaches no parent is not waited for")
    func handsOverAtOnce() {
        var nodes = (1...2).map { RegionPicture.Node(id: Self.node($0)) }
        nodes[0].isCutOff = true
        let said = [RegionPicture.Statement(leads: true, isYielding: true), RegionPicture.Statement()]
        var picture = RegionPicture(nodes)
        picture.count(said, of: Self.streams[0])
        let decision = picture.decide(said, of: Self.streams[0])
        #expect(decision.leader == Self.node(2) && decision.handingOver == nil)
    }

    @Test("Members whose viewers want the stream come first, so that no copy crosses the LAN in vain")
    func wanting() {
        let name = Self.streams[0]
        let nodes = (1...3).map { RegionPicture.Node(id: Self.node($0)) }
        for wanting in 0..<3 {
            var said = Array(repeating: RegionPicture.Statement(), count: 3)
            said[wanting].isWanted = true
            var picture = RegionPicture(nodes)
            picture.count(said, of: name)
            #expect(picture.decide(said, of: name).leader == nodes[wanting].id)
        }
    }

    @Test("While the leader is silent, each member asks the next one, and only the first fetches from outside")
    func chain() {
        let name = Self.streams[0]
        let said = Array(repeating: RegionPicture.Statement(isWanted: true), count: 4)
        var lengths: [Int] = []
        for own in 2...4 {
            let others = (1...4).filter { $0 != own }
            let picture = RegionPicture(([own] + others).map { RegionPicture.Node(id: Self.node($0)) })
            lengths.append(picture.ahead(said, of: name, except: Self.node(1)).count)
        }
        #expect(lengths.sorted() == [0, 1, 2])
    }
}
