import DatagramIO
import NIOCore
import ReflectorModel
import StreamingServer

/// One stream on its way to one destination: what waits to be sent, and how fast it may be sent.
///
///     waiting ──first byte──▶ flowing ⇄ interrupted
///
/// An interrupted output requests its stream again after `retryInterval`.
struct UDPOutput {
    enum State: String {
        case waiting
        case flowing
        case interrupted
    }

    /// What a read has shown.
    enum Event: Equatable {
        case nothing
        /// The first bytes have come.
        case began
        /// The network does not have the stream, for this reason.
        case absent(String)
    }

    /// Reading stops while so many bytes wait to be sent.
    private static let waitingBytesMax = 256 * 1_024
    /// Time between two requests of a stream that has ended.
    private static let retryInterval = TimeSpan.seconds(1)
    /// Datagrams may be sent this far ahead of the rate at once: two turns of the loop.
    private static let burst = TimeSpan.milliseconds(10)

    let stream: StreamName
    let destination: Destination
    let began: MonotonicInstant
    /// The server that paid for requesting a new stream, and gets it back when the stream comes.
    let payer: IPAddress
    private(set) var state = State.waiting
    private var tap: StreamTap?
    private var retryAt: MonotonicInstant?
    private var packer: DatagramPacker
    private var budget: SendBudget
    private(set) var datagrams: UInt64 = 0
    private(set) var bytes: UInt64 = 0
    private(set) var skips: UInt64 = 0
    private(set) var sendFailures: UInt64 = 0
    private(set) var waitMax = TimeSpan.zero
    private var reported: (bytes: UInt64, skips: UInt64) = (0, 0)

    init(
        _ stream: StreamName, to destination: Destination, for payer: IPAddress, rateMax: UInt64,
        at now: MonotonicInstant
    ) {
        self.stream = stream
        self.destination = destination
        self.payer = payer
        began = now
        let source = FixedHash.hash(stream.text, purpose: .output)
        packer = DatagramPacker(
            rtpSource: destination.group?.isRTP ?? false ? UInt32(truncatingIfNeeded: source) : nil)
        budget = SendBudget(bitsPerSecond: rateMax, burst: Self.burst, at: now)
    }

    /// Takes the stream's next bytes from the hub.
    mutating func read(from hub: LiveStreamHub, at now: MonotonicInstant) -> Event {
        guard packer.bytesWaiting < Self.waitingBytesMax else { return .nothing }
        if tap == nil {
            guard retryAt.map({ $0 <= now }) ?? true else { return .nothing }
            tap = try? hub.tap(stream)
            retryAt = now + Self.retryInterval
        }
        switch tap?.read() ?? .nothingYet {
        case .nothingYet: return .nothing
        case .bytes(let chunks):
            packer.add(chunks, at: now)
            let isFirst = state == .waiting
            state = .flowing
            return isFirst ? .began : .nothing
        case .overrun:
            skips &+= 1
            packer.removeAll()
            (tap, retryAt) = (nil, nil)
            return .nothing
        case .over(let reason, isAbsence: true) where state == .waiting: return .absent(reason)
        case .over:
            if state == .flowing { state = .interrupted }
            (tap, retryAt) = (nil, now + Self.retryInterval)
            return .nothing
        }
    }

    /// Adds the datagrams that are due to `batch`, as far as both limits allow. True if a limit held some back.
    mutating func send(
        into batch: inout DatagramBatch, within all: inout SendBudget, at now: MonotonicInstant
    ) -> Bool {
        budget.refill(at: now)
        while let length = packer.nextLength(at: now) {
            guard batch.hasRoom(headerLength: length) else { return false }
            guard budget.allows(length), all.allows(length) else { return true }
            if let since = packer.waitingSince { waitMax = max(waitMax, now - since) }
            batch.append(to: destination.endpoint, headerLengthMax: length, body: nil) { memory in
                packer.write(length, to: memory, at: now)
                return length
            }
            budget.take(length)
            all.take(length)
            datagrams &+= 1
            bytes &+= UInt64(length)
        }
        return false
    }

    /// Drops what waits, because it cannot be sent.
    mutating func discard() { packer.removeAll() }

    /// Bytes that belong to no transport packet, and parts of the stream skipped, since the last call.
    mutating func takeLosses() -> (bytes: UInt64, skips: UInt64) {
        defer { reported = (packer.bytesSkipped, skips) }
        return (packer.bytesSkipped &- reported.bytes, skips &- reported.skips)
    }

    mutating func noteSendFailures(_ count: UInt64) { sendFailures &+= count }

    func status(requests: (count: Int, servers: [IPAddress]), at now: MonotonicInstant) -> OutputStatus {
        OutputStatus(
            address: destination.url, stream: stream.text, state: state.rawValue, requests: requests.count,
            servers: requests.servers.prefix(Self.serversShownMax).map(\.description),
            secondsSinceBegin: (now - began).seconds, datagrams: datagrams, bytes: bytes, sendFailures: sendFailures,
            skips: skips, waitMillisecondsMax: waitMax.seconds * 1_000)
    }

    private static let serversShownMax = 16
}
