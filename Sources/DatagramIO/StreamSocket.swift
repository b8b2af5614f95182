import CDatagram
import Glibc
import ReflectorModel

/// A listening TCP socket or a connection, never blocking; closed when its owner lets go of it. Confined to one loop.
public final class StreamSocket {
    /// What came of reading or writing.
    public enum Outcome: Equatable {
        /// So many bytes went through; at least one.
        case moved(Int)
        /// Nothing now: wait until the loop says so.
        case blocked
        /// The peer has ended its half.
        case ended
        case failed
    }

    public let descriptor: Int32
    /// The real address and port of a listener, those of the peer for a connection.
    public let endpoint: Endpoint

    private init(descriptor: Int32, endpoint: Endpoint) {
        self.descriptor = descriptor
        self.endpoint = endpoint
    }

    deinit { cdg_close(descriptor) }

    /// Listens on an address; port 0 takes a free one.
    /// - Parameter freeBind: also on an address that no interface has yet; connections come once one has it.
    public static func listen(
        _ endpoint: Endpoint, backlog: Int = 1_024, freeBind: Bool = false
    ) throws(DatagramError) -> StreamSocket {
        var wanted = cdg_endpoint(endpoint)
        var bound = cdg_endpoint()
        var step: UnsafePointer<CChar>?
        let descriptor = cdg_stream_listen(&wanted, Int32(clamping: backlog), freeBind, &bound, &step)
        guard descriptor >= 0 else {
            throw DatagramError(
                operation: step.map { String(cString: $0) } ?? "listen", code: -descriptor,
                subject: "TCP \(endpoint)")
        }
        return StreamSocket(descriptor: descriptor, endpoint: Endpoint(bound))
    }

    /// What came of accepting.
    public enum Accepted {
        case connection(StreamSocket)
        /// None waits, or it went before it was taken.
        case none
        /// The process or the machine has no more descriptors or memory.
        case exhausted
    }

    /// Takes the next connection of a listener.
    public func accept() -> Accepted {
        var peer = cdg_endpoint()
        let accepted = cdg_stream_accept(descriptor, &peer)
        guard accepted < 0 else { return .connection(StreamSocket(descriptor: accepted, endpoint: Endpoint(peer))) }
        switch -accepted {
        case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .exhausted
        default: return .none
        }
    }

    /// Reads into `buffer`, which has room.
    public func read(into buffer: UnsafeMutableRawBufferPointer) -> Outcome {
        let count = cdg_stream_read(descriptor, buffer.baseAddress, buffer.count)
        if count > 0 { return .moved(Int(count)) }
        if count == 0 { return .ended }
        return Int32(truncatingIfNeeded: -count) == EAGAIN ? .blocked : .failed
    }

    /// Writes what the kernel takes of `bytes`, which are some.
    public func write(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        let count = cdg_stream_write(descriptor, bytes.baseAddress, bytes.count)
        if count > 0 { return .moved(Int(count)) }
        return count == 0 || Int32(truncatingIfNeeded: -count) == EAGAIN ? .blocked : .failed
    }
}
