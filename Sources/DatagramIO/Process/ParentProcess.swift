import CDatagram

/// The process that started this one.
public enum ParentProcess {
    /// Has the kernel end this process with SIGTERM when its parent ends, however it ends: so a supervisor that is
    /// killed leaves nothing behind.
    public static func endWithIt() { _ = cdg_die_with_parent() }
}
