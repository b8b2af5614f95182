import Foundation

/// CPU time of other processes, all their threads together.
struct ProcessClock {
    /// What processes have used so far.
    struct Reading {
        /// User and system time in nanoseconds, as the scheduler accounts it.
        var nanoseconds: UInt64 = 0
        /// Of that in user mode, in clock ticks of 10 ms, as sampled: only good over seconds.
        var userTicks: UInt64 = 0
        /// Times that threads gave the processor up of their own accord: they had nothing to do.
        var sleeps: UInt64 = 0
    }

    let pids: [pid_t]
    /// Only threads of this name are counted in `sleeps`; nil: all.
    var thread: String?

    /// Nil if one of the processes has gone.
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
            // Behind the name, which may hold anything: state is field 3, utime 14 (proc(5)).
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
