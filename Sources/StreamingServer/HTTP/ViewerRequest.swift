import ReflectorModel

/// What a viewer asks for, read from the path alone. Only well-formed stream names get through, so no path leads
/// anywhere else.
enum ViewerRequest: Equatable {
    /// `/`
    case index
    /// `/live/news.ts`
    case progressive(StreamName)
    /// `/live/news/index.m3u8`
    case playlist(StreamName)
    /// `/live/news/seg123.ts`; a stream of such a name cannot be watched progressively.
    case segment(StreamName, slot: Int64)

    /// Nil for any other path.
    init?(path: some StringProtocol) {
        guard path.utf8.count <= StreamName.lengthMax + 64, path.first == "/" else { return nil }
        if path == "/" {
            self = .index
            return
        }
        let whole = path.dropFirst()
        if let slash = whole.lastIndex(of: "/") {
            let last = whole[whole.index(after: slash)...]
            if last == "index.m3u8" {
                guard let name = StreamName(whole[..<slash]) else { return nil }
                self = .playlist(name)
                return
            }
            if let slot = Self.slot(last) {
                guard let name = StreamName(whole[..<slash]) else { return nil }
                self = .segment(name, slot: slot)
                return
            }
        }
        guard whole.hasSuffix(".ts"), let name = StreamName(whole.dropLast(3)) else { return nil }
        self = .progressive(name)
    }

    /// The slot of `seg123.ts`.
    private static func slot(_ text: some StringProtocol) -> Int64? {
        guard text.hasPrefix("seg"), text.hasSuffix(".ts") else { return nil }
        let digits = text.dropFirst(3).dropLast(3)
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Int64(digits)
    }
}
