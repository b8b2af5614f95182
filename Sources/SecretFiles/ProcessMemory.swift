import CSecretFiles

/// The memory of this process, which holds private keys.
public enum ProcessMemory {
    /// No core dumps, and no access for other processes of our user (ptrace, /proc/PID/mem): prctl(2),
    /// PR_SET_DUMPABLE. False if the kernel refused.
    @discardableResult
    public static func forbidDumps() -> Bool { reflector_forbid_dumps() == 0 }

    /// Whether the kernel would write a core dump, as far as PR_SET_DUMPABLE decides it.
    public static var mayBeDumped: Bool { reflector_may_be_dumped() != 0 }
}
