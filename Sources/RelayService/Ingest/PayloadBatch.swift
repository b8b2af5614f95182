import ReflectorModel

/// Payloads of stream packets in order, in contiguous memory: the result of one read of an encoder's bytes. A batch
/// crosses from the ingest thread to the node's, so the cost of crossing is paid per batch, not per packet.
public struct PayloadBatch: Sendable {
    /// All payloads, one after the other.
    public private(set) var bytes: [UInt8] = []
    /// For each payload, the offset of its end in `bytes`.
    public private(set) var ends: [Int] = []

    public init() {}

    /// Number of payloads.
    public var count: Int { ends.count }
    public var isEmpty: Bool { ends.isEmpty }

    /// Calls `body` with each payload in order; the memory is valid only during the call.
    public func forEach<E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> Void) throws(E) {
        var failure: E?
        bytes.withUnsafeBytes { all in
            var start = 0
            for end in ends {
                do throws(E) {
                    try body(UnsafeRawBufferPointer(rebasing: all[start..<end]))
                } catch {
                    failure = error
                    return
                }
                start = end
            }
        }
        if let failure { throw failure }
    }

    /// The payloads as arrays, for tests and tools.
    public var payloads: [[UInt8]] {
        var result: [[UInt8]] = []
        forEach { (payload) throws(Never) in result.append(Array(payload)) }
        return result
    }

    mutating func reserve(bytes count: Int) { bytes.reserveCapacity(bytes.count + count) }

    /// Adds bytes to the current payload; `endPayload` ends it.
    mutating func append(_ part: UnsafeRawBufferPointer) { bytes.append(contentsOf: part) }
    mutating func append(_ part: ArraySlice<UInt8>) { bytes.append(contentsOf: part) }
    mutating func endPayload() { ends.append(bytes.count) }
}
