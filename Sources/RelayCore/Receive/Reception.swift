import ReflectorModel
import RelayWire

/// What to do with a verified packet of one incarnation, by its number alone.
enum Reception: Equatable {
    /// A duplicate: the log holds the packet in this slot.
    case held(Int32)
    /// Already delivered (and overwritten since) or given up.
    case past
    /// New, and there is room for it.
    case new
    /// New, and so far ahead that the packets held must be given up for it: nothing else has arrived for a while.
    case jump
    case rejected(RelayCounter)
}

extension IncarnationState {
    /// Classifies a number.
    ///
    /// - Parameter isStranded: whether no new packet of the stream has arrived for so long that the stream's known
    ///   position may be wrong. While other packets continue in order, a number far ahead is forged or wrong, and must
    ///   not end the stream.
    @inline(__always)
    func reception(of sequence: UInt64, _ log: PacketLog, isStranded: @autoclosure () -> Bool)
        -> Reception
    {
        guard sequence != 0 else { return .rejected(.rejectedTooOld) }
        if let slot = index.slot(sequence, in: log) { return .held(slot) }
        guard nextToDeliver == 0 || sequence >= nextToDeliver else { return .past }
        guard index.refuses(sequence) else { return .new }
        guard sequence > index.highest else { return .rejected(.rejectedTooOld) }
        return isStranded() ? .jump : .rejected(.rejectedTooFar)
    }
}
