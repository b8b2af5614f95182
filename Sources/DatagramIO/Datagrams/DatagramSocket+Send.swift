import ReflectorModel

extension DatagramSocket {
    /// How long one `send` may wait for a full send buffer; what then remains is dropped and counted. UDP to a healthy
    /// device drains in microseconds, and a loop that waits longer keeps everyone else waiting.
    public static let sendPatience = TimeSpan.milliseconds(1)
    /// How long runs are sent datagram by datagram after the kernel refused to cut one.
    public static let segmentationPause = TimeSpan.seconds(60)

    /// Sends every datagram of `batch`, in order; runs as one message each where the kernel can. The batch itself is
    /// left as it is.
    public func send(_ batch: DatagramBatch) {
        guard !batch.isEmpty else { return }
        readyTransmitter().send(batch, on: self)
    }

    /// Sends those datagrams of `batch` that leave by this one of several sockets.
    func send(_ batch: DatagramBatch, of locals: LocalSockets) {
        readyTransmitter().send(batch, on: self, of: locals)
    }

    /// Sends every reply, each from the address its question was sent to.
    public func send(_ replies: ReplyBatch) {
        guard !replies.isEmpty else { return }
        readyTransmitter().send(replies, on: self)
    }

    /// The loop's, or one of its own for a socket in no loop.
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
