import ReflectorModel
import Testing

@testable import RelayCore

@Suite("Which streams a witness looks at")
struct WitnessChangesTests {
    private static func names(_ range: Range<Int>) -> [StreamName] { range.compactMap { StreamName("live/n\($0)") } }

    @Test("Streams that have changed are noted up to a limit; beyond it all streams are looked at")
    func limit() {
        var witness = Witness()
        witness.noteChange(of: Self.names(0..<1_000))
        #expect(witness.changed.count == 1_000)
        for _ in 0..<100 { witness.noteChange(of: Self.names(1_000..<1_100)) }
        #expect(witness.changed.count == 1_000)
    }

    @Test("Sorted names hold each name once, in order")
    func sorted() throws {
        var random = SeededGenerator(seed: 3)
        var names = SortedNames(Self.names(0..<50) + Self.names(20..<70))
        var model = Set(Self.names(0..<70))
        #expect(names.all == model.sorted())
        for _ in 0..<1_000 {
            let name = try #require(StreamName("live/n\(random.next() % 100)"))
            let isMember = random.next() % 2 == 0
            names.set(name, isMember: isMember)
            if isMember { model.insert(name) } else { model.remove(name) }
        }
        #expect(names.all == model.sorted())
        #expect(names.count == model.count && names.isEmpty == model.isEmpty)
    }

    @Test("A versioned list knows what has changed since a version, or that it does not know")
    func versions() throws {
        var list = VersionedList<Int>()
        let names = Self.names(0..<10)
        for (number, name) in names.enumerated() { #expect(did(&list) { $0.set(number, of: name) }) }
        #expect(!did(&list) { $0.set(3, of: names[3]) })
        #expect(list.version == 1 && list.isChanged)
        list.commit()
        #expect(list.version == 2 && !list.isChanged)
        _ = list.set(nil, of: names[3])
        _ = list.set(40, of: names[4])
        list.commit()
        _ = list.set(41, of: names[4])
        list.commit()
        // -1 stands for a stream that has left the list.
        func contents(since base: UInt64) -> (base: UInt64, entries: [Int]) {
            list.contents(since: base) { _ in -1 }
        }
        let all = [0, 1, 2, 41, 5, 6, 7, 8, 9]
        #expect(contents(since: 4) == (4, []))
        #expect(contents(since: 3) == (3, [41]))
        #expect(contents(since: 2) == (2, [41, -1]))
        #expect(contents(since: 1) == (0, all), "the changes are more than the list has entries")
        #expect(contents(since: 0) == (0, all))
        #expect(contents(since: 5) == (0, all))
        for number in 0..<VersionedList<Int>.changesMax { _ = list.set(100 + number, of: names[5]) }
        list.commit()
        let last = 99 + VersionedList<Int>.changesMax
        #expect(contents(since: 4) == (4, [last]))
        let expected = [0, 1, 2, 41, last, 6, 7, 8, 9]
        #expect(contents(since: 3) == (0, expected), "the oldest changes are forgotten")
    }
}
