import ReflectorModel

/// A viewer's request, read from the path alone. Only well-formed stream names are accepted, so a path can reach
/// nothing but streams and the index page.
enum ViewerRequest: Equatable {
    /// `/`
    case index
    /// `/live/news.ts`
    case progressive(StreamName)
    /// `/live/news/index.m3u8`
    case playlist(StreamName)
    /// `/live/news/seg123-0f3a9c55.ts`; a stream whose name ends like this, without `.ts`, cannot be watched
    /// progressively.
    case segment(StreamName, SegmentName)

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
            if let segment = SegmentName(file: last) {
                guard let name = StreamName(whole[..<slash]) else { return nil }
                self = .segment(name, segment)
                return
            }
        }
        guard whole.hasSuffix(".ts"), let name = StreamName(whole.dropLast(3)) else { return nil }
        self = .progressive(name)
    }
}
