import CDatagram
import Glibc
import ReflectorModel

/// A nonblocking TCP listener or connection; closed when its owner releases it. Confined to one loop.
public final class StreamSocket {
    /// The result of reading or writing.
    public enum Outcome: Equatable {
        /// This many bytes were transferred; at least one.
        case moved(Int)
        /// Would block: wait for the loop's next event.
        case blocked
        /// The peer has closed its side.
        case ended
        case failed
    }

    public let descriptor: Int32
    /// The actual address and port of a listener; the peer's address and port for a connection.
    public let endpoint: Endpoint

    private init(descriptor: Int32, endpoint: Endpoint) {
        self.descriptor = descriptor
        self.endpoint = endpoint
    }

    deinit { cdg_close(descriptor) }

    /// Listens on an address; port 0 selects a free port.
    ///
    /// - Parameter freeBind: allows an address that is not yet on any interface; connections arrive as soon as it is.
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

    /// The result of accepting.
    public enum Accepted {
        case connection(StreamSocket)
        /// No connection is waiting, or it was closed before it was accepted.
        case none
        /// The process or the machine has no more descriptors or memory.
        case exhausted
    }

    /// Accepts the next connection of a listener.
    public func accept() -> Accepted {
        var peer = cdg_endpoint()
        let accepted = cdg_stream_accept(descriptor, &peer)
        guard accepted < 0 else { return .connection(StreamSocket(descriptor: accepted, endpoint: Endpoint(peer))) }
        switch -accepted {
        case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .exhausted
        default: return .none
        }
    }

    /// Reads into `buffer`, which must not be empty.
    public func read(into buffer: UnsafeMutableRawBufferPointer) -> Outcome {
        let count = cdg_stream_read(descriptor, buffer.baseAddress, buffer.count)
        if count > 0 { return .moved(Int(count)) }
        if count == 0 { return .ended }
        return Int32(truncatingIfNeeded: -count) == EAGAIN ? .blocked : .failed
    }

    /// Writes as many of `bytes` as the kernel accepts; `bytes` must not be empty.
    public func write(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        let count = cdg_stream_write(descriptor, bytes.baseAddress, bytes.count)
        if count > 0 { return .moved(Int(count)) }
        return count == 0 || Int32(truncatingIfNeeded: -count) == EAGAIN ? .blocked : .failed
    }
}
