import ReflectorModel

extension DatagramSocket {
    /// How long one `send` may wait while the send buffer is full; the datagrams that remain after that are dropped and
    /// counted. UDP to a healthy device drains in microseconds, and a longer wait would delay everything else on the
    /// loop.
    public static let sendPatience = TimeSpan.milliseconds(1)
    /// After the kernel has refused to segment a run, the datagrams of all runs are sent singly for this long.
    public static let segmentationPause = TimeSpan.seconds(60)

    /// Sends every datagram of `batch`, in order; each run as one message if the kernel supports it. Does not change
    /// the batch.
    public func send(_ batch: DatagramBatch) {
        guard !batch.isEmpty else { return }
        readyTransmitter().send(batch, on: self)
    }

    /// Sends those datagrams of `batch` that leave through this socket; the others leave through other sockets of
    /// `locals`.
    func send(_ batch: DatagramBatch, of locals: LocalSockets) {
        readyTransmitter().send(batch, on: self, of: locals)
    }

    /// Sends every reply, each from the address to which its question was sent.
    public func send(_ replies: ReplyBatch) {
        guard !replies.isEmpty else { return }
        readyTransmitter().send(replies, on: self)
    }

    /// The loop's transmitter, or the socket's own if it is in no loop.
    private func readyTransmitter() -> Transmitter {
        if let transmitter { return transmitter }
        let own = Transmitter(batch: 64)
        transmitter = own
        return own
    }

    func accepts(_ destination: Endpoint, datagrams: Int) -> Bool {
        if destination.address.isV4 == local.address.isV4 { return true }
        statistics.sendWrongFamily &+= UInt64(datagrams)
        return false
    }

    func maySegment() -> Bool {
        guard let until = segmentationSuspendedUntil else { return true }
        guard until != .distantFuture, DatagramLoop.now >= until else { return false }
        segmentationSuspendedUntil = nil
        return true
    }

    func suspendSegmentation() {
        guard segmentationSuspendedUntil == nil else { return }
        segmentationSuspendedUntil = DatagramLoop.now + Self.segmentationPause
    }
}
