import ReflectorModel
import Testing

@testable import RelayCore

@Suite("Room in the directory of names")
struct DirectoryRoomTests {
    private func name(_ number: Int) -> ReflectorName { .parents(.first, RegionID(UInt32(number)), PortsetID(1)) }

    private func finish(
        _ directory: inout ParentDirectory, _ name: ReflectorName, _ result: LookUpResult, at milliseconds: Int64
    ) {
        var random = SeededGenerator(seed: 1)
        _ = directory.finish(name, result, at: instant(milliseconds), random: &random)
    }

    private let answer = LookUpResult.records(
        LookUpAnswer(
            hosts: [ResolvedHost(name: "a", endpoint: Bench.endpoint(1), priority: 0, weight: 1)], ttlSeconds: 20))

    @Test("A full directory evicts the name that was used longest ago, and never one that a data path uses")
    func evicts() {
        var directory = ParentDirectory(countMax: 64)
        for number in 0..<8 { _ = directory.use(name(number), isCarrying: true, at: instant(0)) }
        for number in 100..<5_100 {
            #expect(did(&directory) { $0.use(name(number), at: instant(Int64(number))) } == .ask)
            #expect(directory.count <= 64)
        }
        for number in 0..<8 { #expect(directory[name(number)] != nil) }
        #expect(directory[name(5_099)] != nil)
        #expect(directory[name(5_000)] == nil)
        #expect(directory.evicted == 5_000 - 56)
    }

    @Test("While data paths use every name there is no room; after a minute without data there is")
    func full() {
        var directory = ParentDirectory(countMax: 4)
        for number in 0..<4 { _ = directory.use(name(number), isCarrying: true, at: instant(0)) }
        #expect(did(&directory) { $0.use(name(9), at: instant(1_000)) } == .full)
        #expect(directory.absence(of: name(9), at: instant(1_000)) == .full)
        _ = directory.use(name(0), isCarrying: true, at: instant(59_000))
        #expect(did(&directory) { $0.use(name(9), at: instant(60_000)) } == .ask)
        #expect(directory[name(0)] != nil)
        #expect(directory[name(1)] == nil)
    }

    @Test("A name that does not exist is looked up again only when it is needed")
    func absent() {
        var directory = ParentDirectory(countMax: 4)
        _ = directory.use(name(1), at: instant(0))
        finish(&directory, name(1), .noSuchName(serial: 1), at: 1)
        #expect(directory.isKnownAbsent(name(1), at: instant(4_000)))
        #expect(directory.nextRenewal == .distantFuture)
        #expect(did(&directory) { $0.use(name(1), at: instant(4_000)) } == .nothing)
        #expect(did(&directory) { $0.use(name(1), at: instant(5_002)) } == .ask)
        #expect(directory.absence(of: name(1), at: instant(5_002)) == .noSuchName)
        // Now no server answers: the old denial says nothing about the present.
        finish(&directory, name(1), .failed(.timedOut), at: 8_000)
        #expect(directory.absence(of: name(1), at: instant(8_000)) == .failed(.timedOut))
    }

    @Test("A look-up that was delayed for lack of room is not a failure, and is made soon")
    func overloaded() {
        var directory = ParentDirectory(countMax: 4)
        _ = directory.use(name(1), at: instant(0))
        finish(&directory, name(1), .failed(.overloaded), at: 1)
        #expect(directory.absence(of: name(1), at: instant(2)) == .undecided)
        #expect(!directory.serversAreSilent)
        #expect(did(&directory) { $0.dueRenewals(at: instant(250)) } == [name(1)])
    }

    @Test("Only answers that data paths use are saved, each once")
    func unsaved() {
        var directory = ParentDirectory(countMax: 4)
        _ = directory.use(name(1), at: instant(0))
        finish(&directory, name(1), answer, at: 1)
        #expect(did(&directory) { $0.takeUnsaved(name(1)) } == nil)
        _ = directory.use(name(1), isCarrying: true, at: instant(2))
        #expect(did(&directory) { $0.takeUnsaved(name(1)) } != nil)
        finish(&directory, name(1), answer, at: 3)
        #expect(did(&directory) { $0.takeUnsaved(name(1)) } == nil)
    }

    @Test("A name that no data path uses is renewed for a short time only")
    func unproven() {
        var directory = ParentDirectory(countMax: 4)
        for (number, isCarrying) in [(1, false), (2, true)] {
            _ = directory.use(name(number), isCarrying: isCarrying, at: instant(0))
            finish(&directory, name(number), answer, at: 1)
        }
        #expect(did(&directory) { $0.dueRenewals(at: instant(20_100)) } == [name(2)])
    }

    @Test("The order of use is correct after any sequence of changes")
    func recency() {
        var list = RecencyList()
        var model: [Int] = []
        var random = SeededGenerator(seed: 9)
        for _ in 0..<5_000 {
            let slot = Int(random.next(upperBound: 40))
            if let index = model.firstIndex(of: slot) {
                model.remove(at: index)
                if random.next(upperBound: 3) == 0 {
                    list.remove(slot)
                } else {
                    list.touch(slot)
                    model.append(slot)
                }
            } else {
                list.append(slot)
                model.append(slot)
            }
            #expect(list.first == model.first)
        }
        while let first = list.first {
            #expect(first == model.removeFirst())
            list.remove(first)
        }
        #expect(model.isEmpty)
    }
}
