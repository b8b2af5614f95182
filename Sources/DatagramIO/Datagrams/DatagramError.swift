import CDatagram

/// A system call of the datagram layer that failed while something was being set up. Failures on the packet path are
/// never thrown: they are counted in `DatagramStatistics`.
public struct DatagramError: Error, Equatable, CustomStringConvertible {
    /// What was tried: `bind`, `SO_REUSEPORT`, `epoll_create1`.
    public var operation: String
    /// The `errno` of the call.
    public var code: Int32
    /// What it was tried on, as an address.
    public var subject: String

    public var description: String {
        "\(operation) \(subject): \(String(cString: cdg_error_text(code))) (errno \(code))"
    }
}
