import DatagramIO
import ReflectorModel

/// One client connection (RFC 7766) and its buffered data. While a client does not read its answers, nothing is read
/// from it (back-pressure), so a connection holds at most one input and one output buffer.
final class TCPConnection {
    /// What the connection waits for; each state has its own time limit.
    enum State: Int, CaseIterable {
        /// The next query.
        case idle
        /// The rest of a message.
        case reading
        /// The client, to read the output.
        case writing
        /// The preparation of a transfer; no limit.
        case planning
    }

    let socket: StreamSocket
    let tag: UInt32
    let isPrivileged: Bool
    var state = State.idle
    /// When the state's timer started.
    var since: MonotonicInstant
    /// Bytes received and not yet answered: part of a message, or messages that wait until the client has read earlier
    /// answers.
    var input: [UInt8] = []
    /// Output that the kernel has not yet accepted, from `outputStart` on.
    var output: [UInt8] = []
    var outputStart = 0
    var transfer: OutgoingTransfer?

    /// Neighbours in the state's queue.
    fileprivate(set) unowned(unsafe) var before: TCPConnection?
    fileprivate(set) unowned(unsafe) var after: TCPConnection?

    init(socket: StreamSocket, tag: UInt32, isPrivileged: Bool, at now: MonotonicInstant) {
        self.socket = socket
        self.tag = tag
        self.isPrivileged = isPrivileged
        since = now
    }

    var address: IPAddress { socket.endpoint.address }
    var bufferedBytes: Int { input.count + output.count }
}

/// The connections of one state, in the order in which their timers expire: since all have the same time limit, this is
/// the order in which they entered the state. Does not own the connections.
struct ConnectionQueue {
    private(set) unowned(unsafe) var first: TCPConnection?
    private unowned(unsafe) var last: TCPConnection?

    mutating func append(_ connection: TCPConnection) {
        connection.before = last
        connection.after = nil
        if let last { last.after = connection } else { first = connection }
        last = connection
    }

    mutating func remove(_ connection: TCPConnection) {
        if let before = connection.before { before.after = connection.after } else { first = connection.after }
        if let after = connection.after { after.before = connection.before } else { last = connection.before }
        connection.before = nil
        connection.after = nil
    }
}
