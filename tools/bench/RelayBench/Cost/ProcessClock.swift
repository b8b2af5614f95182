import Foundation

/// CPU time of other processes, over all their threads.
struct ProcessClock {
    /// The CPU time that processes have used so far.
    struct Reading {
        /// User and system time in nanoseconds, as counted by the scheduler.
        var nanoseconds: UInt64 = 0
        /// The part in user mode, in sampled clock ticks of 10 ms: only useful over seconds.
        var userTicks: UInt64 = 0
        /// Times that threads gave up the processor voluntarily because they were idle.
        var sleeps: UInt64 = 0
    }

    let pids: [pid_t]
    /// Only threads of this name are counted in `sleeps`; nil: all.
    var thread: String?

    /// Nil if one of the processes has ended.
    func read() -> Reading? {
        var sum = Reading()
        for pid in pids {
            var clock = clockid_t()
            var time = timespec()
            guard clock_getcpuclockid(pid, &clock) == 0, clock_gettime(clock, &time) == 0,
                let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
                let end = text.lastIndex(of: ")")
            else { return nil }
            sum.nanoseconds += UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
            // After the name, which may contain anything: state is field 3, utime 14 (proc(5)).
            let fields = text[text.index(after: end)...].split(separator: " ")
            sum.userTicks += fields.count > 11 ? UInt64(fields[11]) ?? 0 : 0
            sum.sleeps += Self.sleeps(of: pid, thread: thread)
        }
        return sum
    }

    private static func sleeps(of pid: pid_t, thread name: String?) -> UInt64 {
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
        return threads.reduce(0) { sum, thread in
            let status = try? String(contentsOfFile: "/proc/\(pid)/task/\(thread)/status", encoding: .utf8)
            let fields = (status ?? "").split(separator: "\n").map { $0.split(separator: "\t") }
            func value(_ key: String) -> Substring? { fields.first { $0.first == key[...] }?.last }
            guard name == nil || value("Name:") == name?[...] else { return sum }
            return sum + (value("voluntary_ctxt_switches:").flatMap { UInt64($0) } ?? 0)
        }
    }
}
