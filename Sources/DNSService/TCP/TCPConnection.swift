import DatagramIO
import ReflectorModel

/// One connection of a client (RFC 7766) and what waits in it. While a client does not read its answers, nothing is
/// read from it (back-pressure), so a connection holds at most one input and one output buffer.
final class TCPConnection {
    /// What the connection waits for, each with a time limit of its own.
    enum State: Int, CaseIterable {
        /// The next query.
        case idle
        /// The rest of a message.
        case reading
        /// The client, to take what is written.
        case writing
        /// A transfer to be prepared; no limit.
        case planning
    }

    let socket: StreamSocket
    let tag: UInt32
    let isPrivileged: Bool
    var state = State.idle
    /// Since when the state's time runs.
    var since: MonotonicInstant
    /// Read and not yet answered: part of a message, or messages behind those whose answers the client has not taken.
    var input: [UInt8] = []
    /// Written and not yet taken by the kernel, from `outputStart` on.
    var output: [UInt8] = []
    var outputStart = 0
    var transfer: OutgoingTransfer?

    /// Neighbours in the queue of the state.
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

/// The connections of one state in the order in which their times end: all of a state have as long, so the order is
/// that of arrival. Owns nothing.
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
