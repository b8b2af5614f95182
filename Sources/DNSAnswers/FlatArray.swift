/// Memory that is written once, while an image is built, and only read afterwards. The query path reads it through
/// `base`, without the reference counting and uniqueness checks that would cost more there than the lookup itself.
final class FlatArray<Element: BitwiseCopyable>: Sendable {
    /// Never written after `init` and freed only with the array: any thread may read it.
    nonisolated(unsafe) let base: UnsafePointer<Element>
    let count: Int
    var byteCount: Int { count * MemoryLayout<Element>.stride }

    init(_ elements: [Element]) {
        let memory = UnsafeMutablePointer<Element>.allocate(capacity: max(elements.count, 1))
        elements.withUnsafeBufferPointer { source in
            if let start = source.baseAddress { memory.initialize(from: start, count: source.count) }
        }
        base = UnsafePointer(memory)
        count = elements.count
    }

    deinit { base.deallocate() }
}
