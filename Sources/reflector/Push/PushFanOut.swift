import Glibc

/// A push of the same bytes to several entrypoints: one thread reads the source, and each destination has its own.
struct PushFanOut {
    private static let packetBytes = 188
    private static let chunkBytes = 348 * packetBytes
    /// How long destinations may take to accept the rest after the source has ended.
    private static let restMilliseconds = 15_000

    private let destinations: [PushDestination]
    private let ended: WakeSignal

    init(_ pushes: [HTTPPush]) throws(HTTPPush.Failure) {
        let ended = try WakeSignal()
        var destinations: [PushDestination] = []
        for push in pushes { destinations.append(try PushDestination(push, ended: ended)) }
        self.destinations = destinations
        self.ended = ended
    }

    /// Sends until the source ends.
    /// - Parameter isWhole: called at the end; if it returns false, the requests are left unfinished, because the
    /// source ended early.
    /// - Returns: whether at least one destination accepted the whole rest of the stream.
    func run(from source: Int32, isWhole: () -> Bool) throws(HTTPPush.Failure) -> Bool {
        for destination in destinations { destination.start() }
        forward(source)
        let isWhole = isWhole()
        for destination in destinations { destination.end(isWhole: isWhole) }
        waitForDestinations()
        guard isWhole else { throw .brokenOff }
        return destinations.contains { $0.accepted == true }
    }

    /// Cuts the stream into chunks of whole packets, so that a destination that begins with a later chunk gets no part
    /// of a packet, which it might join with one of its last connection.
    private func forward(_ source: Int32) {
        var buffer = [UInt8](repeating: 0, count: Self.chunkBytes)
        var rest = 0
        while true {
            let count = buffer.withUnsafeMutableBytes { read(source, $0.baseAddress! + rest, $0.count - rest) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            let end = rest + count
            let whole = end - end % Self.packetBytes
            send(buffer[..<whole])
            rest = end - whole
            for index in 0..<rest { buffer[index] = buffer[whole + index] }
        }
        send(buffer[..<rest])
    }

    private func send(_ bytes: ArraySlice<UInt8>) {
        guard !bytes.isEmpty else { return }
        let chunk = ChunkBacklog.Chunk(bytes)
        for destination in destinations { destination.append(chunk) }
    }

    private func waitForDestinations() {
        let end = ContinuousClock.now + .milliseconds(Self.restMilliseconds)
        while true {
            ended.clear()
            let left = destinations.filter { $0.accepted == nil }
            let now = ContinuousClock.now
            if left.isEmpty { return }
            guard now < end else {
                for destination in left {
                    StandardError.print("reflector: \(destination.push.to): has not accepted the rest of the stream")
                }
                return
            }
            var polled = pollfd(fd: ended.descriptor, events: Int16(POLLIN), revents: 0)
            _ = poll(&polled, 1, Int32(now.duration(to: end) / .milliseconds(1)) + 1)
        }
    }
}
