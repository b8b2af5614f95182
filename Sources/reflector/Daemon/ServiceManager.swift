import Foundation
import Glibc

/// Notifies systemd by the protocol of sd_notify(3): a few lines to a datagram socket whose address is in the
/// environment. Without an address, it sends nothing.
struct ServiceManager: Sendable {
    private let address: [UInt8]?
    /// How often to send a keep-alive: half of `WatchdogSec=`, as sd_watchdog_enabled(3) advises; nil: never.
    let watchdogInterval: Duration?

    init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        address = environment["NOTIFY_SOCKET"].flatMap(Self.address)
        let isForUs = environment["WATCHDOG_PID"].map { $0 == "\(getpid())" } ?? true
        let microseconds = environment["WATCHDOG_USEC"].flatMap { Int64($0) } ?? 0
        watchdogInterval = isForUs && microseconds > 1 ? .microseconds(microseconds / 2) : nil
    }

    /// The daemon is ready, for the first time or again after `reloading`.
    func ready() { send("READY=1") }
    func reloading() {
        let now = monotonicNanoseconds() / 1_000
        send("RELOADING=1\nMONOTONIC_USEC=\(now)")
    }
    func stopping() { send("STOPPING=1") }
    func watchdog() { send("WATCHDOG=1") }

    private func send(_ text: String) {
        guard let address else { return }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let message = Array(text.utf8)
        address.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            _ = sendto(
                descriptor, message, message.count, Int32(MSG_NOSIGNAL),
                base.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
    }

    private func monotonicNanoseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// A `sockaddr_un` (unix(7)): a path, or after `@` an abstract name. Nil for anything else, or if it is too long.
    private static func address(_ text: String) -> [UInt8]? {
        var name = Array(text.utf8)
        guard name.count > 1, name[0] == UInt8(ascii: "/") || name[0] == UInt8(ascii: "@") else { return nil }
        if name[0] == UInt8(ascii: "@") { name[0] = 0 } else { name.append(0) }
        guard name.count <= MemoryLayout.size(ofValue: sockaddr_un().sun_path) else { return nil }
        return withUnsafeBytes(of: sa_family_t(AF_UNIX)) { Array($0) } + name
    }
}
