import NIOCore
import ReflectorModel

/// A reader of a stream's clean bytes for other outputs than HTTP: it does not wait, so that one timer can serve many.
/// The stream is requested as long as the tap exists. It begins at the tables before the newest random access point.
public final class StreamTap: Sendable {
    /// Result of a read.
    public enum Reading: Sendable {
        /// The next bytes: whole transport packets, except if the stream is not a transport stream.
        case bytes([ByteBuffer])
        case nothingYet
        /// The next byte is no longer held, because this reader is too slow. Nothing follows: open another tap.
        case overrun
        /// The stream has ended or is not available.
        /// - Parameter isAbsence: true if the network reports that it does not have the stream.
        case over(reason: String, isAbsence: Bool)
    }

    private let viewer: StreamViewer

    fileprivate init(_ viewer: StreamViewer) { self.viewer = viewer }

    /// The next bytes, or why there are none.
    public func read() -> Reading {
        switch viewer.readNow() {
        case .bytes(let bytes): .bytes(bytes)
        case .nothingYet: .nothingYet
        case .overrun: .overrun
        case .over(.unavailable(let reason)): .over(reason: reason, isAbsence: true)
        case .over(.outOfReach(let reason)), .over(.ended(let reason)): .over(reason: reason, isAbsence: false)
        }
    }
}

extension LiveStreamHub {
    /// Requests a stream for another output than HTTP, and reads it. It counts towards the limit of viewers.
    public func tap(_ name: StreamName) throws(Refusal) -> StreamTap {
        StreamTap(try admit(to: name, isProgressive: false, evict: {}))
    }

    /// Whether a server may request one more stream that is not here: it shares the limit of viewers at its address.
    /// False if the address has requested too many, or would have to wait.
    public func admitsName(_ name: StreamName, of address: IPAddress) -> Bool {
        guard !holds(name), newNames.ask(address, at: .now) == .refused else { return true }
        count("names_refused")
        return false
    }

    /// A name that was admitted for this address is a stream.
    public func refundName(of address: IPAddress) { newNames.refund(address, at: .now) }
}
