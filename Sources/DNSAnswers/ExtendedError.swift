/// The reason for an error response, in a form meant for people (RFC 8914).
enum ExtendedError {
    /// `explain` or `_status` queried from a source that is not allowed.
    case explainProhibited
    /// A transfer that is not allowed.
    case transferProhibited
    /// The name is in none of our zones.
    case notAuthoritative
    /// A class or operation that this server does not support.
    case notSupported

    /// RFC 8914 §5.2.
    var code: UInt16 {
        switch self {
        case .explainProhibited, .transferProhibited: 18
        case .notAuthoritative: 20
        case .notSupported: 21
        }
    }

    var text: StaticString {
        switch self {
        case .explainProhibited: "only for the addresses of --explain-from"
        case .transferProhibited: "no transfer for this address and key"
        case .notAuthoritative: "in no zone of this server"
        case .notSupported: "class not supported"
        }
    }
}
