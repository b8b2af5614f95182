/// Why bytes are not a certificate, a revocation list or an identity in a handshake message, or why values do not form
/// one.
public enum IdentityFormatError: UInt8, Error, Hashable, Sendable, CaseIterable {
    case tooShort
    case tooLong
    case badVersion
    /// A serial of zero.
    case badSerial
    /// A time of 2⁴⁰ seconds or later, or one that is not before the other.
    case badTime
    case unknownRole
    case unknownRegionKind
    /// A region that this role cannot have, or an edge without one.
    case regionOfOtherRole
    case badSetRegion
    case badZone
    case badNodeName
    case unknownLimit
    /// Limits that are not in ascending order of their types, or a limit given twice.
    case limitOrder
    case limitLength
    /// A limit of zero.
    case limitValue
    /// A sequence number of zero.
    case badSequence
    /// Serials that are not in ascending order, or a serial given twice.
    case serialOrder
    case tooMany
    case trailingBytes
}
