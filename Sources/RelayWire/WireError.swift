/// Why a datagram was not understood. Each reason has its own counter at the node.
public enum WireError: UInt8, Error, Sendable, CaseIterable {
    case empty
    case tooShort
    case tooLong
    case unknownType
    case unknownKind
    case unknownValue
    case badVersion
    case badLength
    case badName
    case tooMany
    case trailingBytes
    /// A sequence number that no honest sender can have reached, or a page number not below the number of pages.
    case outOfRange
}
