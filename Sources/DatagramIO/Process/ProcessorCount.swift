import CDatagram

/// How many loops can run at the same time.
public enum ProcessorCount {
    /// Processors that this process may use, at least 1: as many as it is pinned to.
    public static var usable: Int { Int(cdg_usable_processors()) }
}
