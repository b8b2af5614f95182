import CDatagram

/// The process that started this one.
public enum ParentProcess {
    /// Makes the kernel terminate this process with SIGTERM when its parent ends for any reason, so that a killed
    /// supervisor leaves no processes behind.
    public static func endWithIt() { _ = cdg_die_with_parent() }
}
