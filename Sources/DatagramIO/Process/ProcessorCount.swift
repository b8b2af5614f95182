import CDatagram

/// How many loops can run at the same time.
public enum ProcessorCount {
    /// Number of processors that this process may use (its CPU affinity), at least 1.
    public static var usable: Int { Int(cdg_usable_processors()) }
}
