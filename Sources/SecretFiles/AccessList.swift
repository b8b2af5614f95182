import CSecretFiles
import Glibc

/// A file's POSIX access control list (acl(5)), in the kernel's format. If a file has a list, the group bits of its
/// mode are only the list's mask. So a file of mode 0440 can be private: systemd passes credentials in such files of
/// root, with a list that gives only the service access.
struct AccessList: Equatable {
    /// Maximum length of a list in bytes: 64 entries.
    private static let bytesMax = 516

    private enum Tag: UInt16 {
        case owner = 1
        case user = 2
        case owningGroup = 4
        case group = 8
        case mask = 16
        case others = 32
    }

    private struct Entry: Equatable {
        var tag: UInt16
        var permissions: UInt16
        var id: UInt32
    }

    private let entries: [Entry]

    /// Nil for bytes that are not a list of version 2.
    init?(bytes: [UInt8]) {
        guard bytes.count >= 4, (bytes.count - 4) % 8 == 0, Self.number(bytes[..<4]) == 2 else { return nil }
        entries = stride(from: 4, to: bytes.count, by: 8).map { at in
            Entry(
                tag: UInt16(Self.number(bytes[at..<at + 2])),
                permissions: UInt16(Self.number(bytes[(at + 2)..<at + 4])),
                id: Self.number(bytes[(at + 4)..<at + 8]))
        }
    }

    /// The list of an open file; nil if it has none.
    init?(descriptor: Int32) {
        var bytes = [UInt8](repeating: 0, count: Self.bytesMax)
        let length = bytes.withUnsafeMutableBytes {
            reflector_fgetxattr(descriptor, "system.posix_acl_access", $0.baseAddress, $0.count)
        }
        guard length >= 0 else { return nil }
        self.init(bytes: Array(bytes[..<length]))
    }

    /// True if only the owner, root and `user` have access to the file.
    func isPrivate(to user: UInt32) -> Bool {
        let mask = entries.first { $0.tag == Tag.mask.rawValue }?.permissions ?? 7
        return entries.allSatisfy { entry in
            switch Tag(rawValue: entry.tag) {
            case .owner, .mask: true
            case .user: entry.id == user || entry.id == 0 || entry.permissions & mask == 0
            case .owningGroup, .group: entry.permissions & mask == 0
            case .others: entry.permissions == 0
            case nil: false
            }
        }
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
}
