import CDatagram

/// A failed system call of the datagram layer during setup. Failures on the packet path are never thrown: they are
/// counted in `DatagramStatistics`.
public struct DatagramError: Error, Equatable, CustomStringConvertible {
    /// The operation: `bind`, `SO_REUSEPORT`, `epoll_create1`.
    public var operation: String
    /// The `errno` of the call.
    public var code: Int32
    /// The object of the operation, such as an address.
    public var subject: String

    public var description: String {
        "\(operation) \(subject): \(String(cString: cdg_error_text(code))) (errno \(code))"
    }
}
