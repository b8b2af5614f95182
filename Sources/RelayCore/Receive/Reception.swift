import ReflectorModel
import RelayWire

/// What becomes of a verified packet of one incarnation, by its number alone.
enum Reception: Equatable {
    /// Held in this slot of the log.
    case held(Int32)
    /// Handed out (and overwritten since) or given up.
    case past
    /// New, and there is room for it.
    case new
    /// New, and so far ahead that what is held must be given up for it: nothing else has come for a while.
    case jump
    case rejected(RelayCounter)
}

extension IncarnationState {
    /// Decides about a number.
    ///
    /// - Parameter isStranded: nothing new of the stream has come for so long that the place where it is held to be may
    ///   be wrong. While other packets go on where they were, a number far ahead is a lie, or a mistake: it must not end
    ///   the stream.
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
