import ReflectorModel
import RelayCore

/// The core's sink: passes everything that it receives on to a `StreamOutput`. Belongs to the node's loop.
final class OutputSink: StreamSink {
    /// The receiver of one stream. The reference is weak, so that the output can end a stream that nobody watches, and
    /// free its buffers.
    private struct Entry {
        let name: StreamName
        weak var receiver: (any StreamReceiver)?
    }

    private let output: (any StreamOutput)?
    /// Indexed by the stream's slot in the core, so there are no more entries than the core has slots.
    private var entries: [Entry?] = []

    init(output: (any StreamOutput)?) { self.output = output }

    func deliver(_ payload: UnsafeRawBufferPointer, stream: StreamName, slot: Int, at now: MonotonicInstant) {
        guard let output else { return }
        // In place: a copy of the entry would copy its weak reference.
        if slot < entries.count, entries[slot]?.name == stream,
            entries[slot]?.receiver?.deliver(payload, at: now) == true
        {
            return
        }
        while entries.count <= slot { entries.append(nil) }
        let receiver = output.receiver(of: stream)
        entries[slot] = Entry(name: stream, receiver: receiver)
        _ = receiver?.deliver(payload, at: now)
    }

    func discontinuity(stream: StreamName, lost: UInt64) { output?.discontinuity(stream: stream, lost: lost) }
    func ended(stream: StreamName) { output?.ended(stream: stream) }
}
