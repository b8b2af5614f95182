import Glibc
import RelayCore

extension PacketMemory {
    /// Memory in pages of 2 MiB where the kernel has them: a ring of tens of megabytes in pages of 4 KiB costs a fault
    /// for every third packet until it has filled once, and a miss of the TLB for nearly every packet after that. Nothing
    /// is resident before packets come. Nil where it can't be had: then the heap serves.
    static func largePages(packets: Int) -> PacketMemory? {
        let length = PacketMemory.length(packets: packets)
        let memory = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let memory, memory != UnsafeMutableRawPointer(bitPattern: -1) else { return nil }
        // Advice: where it is not taken, the pages are small.
        _ = madvise(memory, length, MADV_HUGEPAGE)
        return PacketMemory(UnsafeMutableRawBufferPointer(start: memory, count: length)) { bytes in
            munmap(bytes.baseAddress, bytes.count)
        }
    }
}
