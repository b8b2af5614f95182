import ReflectorModel

/// Receives an edge's streams; its streaming servers implement this. Its methods are called on the node's event loop,
/// so they must return quickly.
public protocol StreamOutput: Sendable {
    /// Returns the receiver for the payloads of a stream; nil if they can't be taken now. Called at the first payload,
    /// and again once that receiver has ended.
    func receiver(of stream: StreamName) -> (any StreamReceiver)?
    /// `lost` packets could not be repaired. If `lost` is 0, another source or incarnation follows.
    func discontinuity(stream: StreamName, lost: UInt64)
    func ended(stream: StreamName)
    /// - Parameter isAbsence: true if the network reports that it does not have the stream; false if it may have it.
    func unavailable(stream: StreamName, reason: String, isAbsence: Bool)
    func viewers(of stream: StreamName) -> Int
}

/// Takes the payloads of one stream: a handle, so that nothing is looked up by name for each payload.
public protocol StreamReceiver: AnyObject {
    /// Called on the node's event loop; `payload` is valid only during the call. Returns false if the receiver has
    /// ended and so did not take the payload.
    func deliver(_ payload: UnsafeRawBufferPointer, at now: MonotonicInstant) -> Bool
}
