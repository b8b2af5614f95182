import Foundation
import Glibc

/// Text on standard output and standard error. Text that cannot be written is dropped: a daemon continues when the disk
/// of its log is full or the reader of its pipe has exited.
enum PlainOutput {
    enum Stream: Int32 {
        case standardOutput = 1
        case standardError = 2
    }

    static func write(_ text: String, to stream: Stream) { write(Array(text.utf8), to: stream.rawValue) }
    static func write(_ data: Data, to stream: Stream) { write(Array(data), to: stream.rawValue) }

    /// False if not all of it could be written.
    @discardableResult
    static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var count = 0
        while count < bytes.count {
            let wrote = bytes[count...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if wrote < 0, errno == EINTR { continue }
            guard wrote > 0 else { return false }
            count += wrote
        }
        return true
    }
}
