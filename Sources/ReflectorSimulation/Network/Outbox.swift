import ReflectorModel
import RelayCore

/// Sends for a simulated node as a daemon's loop does: fills and empties a batch until no datagram is left.
final class Outbox {
    private var batch: DatagramBatch
    private let headers: UnsafeMutableRawBufferPointer

    /// - Parameters:
    ///   - datagramsMax: maximum number of datagrams in one batch; small batches show whether half-drained queues lose
    ///     anything.
    ///   - headerBytes: space for the headers of a batch.
    init(datagramsMax: Int, headerBytes: Int) {
        headers = .allocate(byteCount: headerBytes, alignment: 16)
        batch = DatagramBatch(countMax: datagramsMax, headers: headers)
    }

    deinit { headers.deallocate() }

    /// Drains all datagrams that the node has to send; `send` gets each datagram with its header.
    func drain(
        _ relay: RelayNode, at now: MonotonicInstant, _ send: (DatagramBatch.Entry, UnsafeRawBufferPointer) -> Void
    ) {
        while relay.hasOutput(at: now) {
            batch.removeAll()
            let more = relay.transmit(at: now, into: &batch)
            for entry in batch.entries {
                let start = Int(entry.headerOffset)
                send(entry, UnsafeRawBufferPointer(rebasing: headers[start..<start + Int(entry.headerLength)]))
            }
            if !more { break }
        }
    }
}
