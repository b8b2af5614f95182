import ReflectorModel

/// Receives an edge's streams; its streaming servers implement this. Called on the node's event loop, so it must be
/// quick. `payload` is valid only during the call.
public protocol StreamOutput: Sendable {
    func deliver(_ payload: UnsafeRawBufferPointer, stream: StreamName, at now: MonotonicInstant)
    /// `lost` packets could not be repaired. If `lost` is 0, another source or incarnation follows.
    func discontinuity(stream: StreamName, lost: UInt64)
    func ended(stream: StreamName)
    /// - Parameter isAbsence: true if the network reports that it does not have the stream; false if it may have it.
    func unavailable(stream: StreamName, reason: String, isAbsence: Bool)
    func viewers(of stream: StreamName) -> Int
}
