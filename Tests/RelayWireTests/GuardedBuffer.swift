import Glibc

/// Holds a datagram that ends at the end of a page. The next page is inaccessible, so a read beyond the datagram ends
/// the process.
final class GuardedBuffer {
    private static let page = 4096
    private let base: UnsafeMutableRawPointer

    init() {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS
        base = mmap(nil, 2 * Self.page, PROT_READ | PROT_WRITE, flags, -1, 0)!
        precondition(base != MAP_FAILED && mprotect(base + Self.page, Self.page, PROT_NONE) == 0)
    }

    deinit { munmap(base, 2 * Self.page) }

    func with<Result>(_ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        precondition(bytes.count <= Self.page)
        let start = base + (Self.page - bytes.count)
        bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(start: start, count: bytes.count).copyMemory(from: $0) }
        return try body(UnsafeRawBufferPointer(start: start, count: bytes.count))
    }
}
