import ReflectorModel

/// A set of streams in the order of their names.
struct SortedNames {
    private(set) var all: [StreamName] = []

    init() {}

    /// - Parameter names: in any order; a name may come more than once.
    init(_ names: [StreamName]) {
        for name in names.sorted() where all.last != name { all.append(name) }
    }

    var isEmpty: Bool { all.isEmpty }
    var count: Int { all.count }

    func contains(_ name: StreamName) -> Bool {
        let place = place(of: name)
        return place < all.count && all[place] == name
    }

    mutating func insert(_ name: StreamName) {
        let place = place(of: name)
        if place == all.count || all[place] != name { all.insert(name, at: place) }
    }

    mutating func remove(_ name: StreamName) {
        let place = place(of: name)
        if place < all.count, all[place] == name { all.remove(at: place) }
    }

    mutating func set(_ name: StreamName, isMember: Bool) { isMember ? insert(name) : remove(name) }

    /// The first place whose name is not before this one.
    private func place(of name: StreamName) -> Int {
        var (low, high) = (0, all.count)
        while low < high {
            let middle = (low + high) / 2
            if all[middle] < name { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
