import CLDNS

/// Input that libldns or this wrapper rejected, with a code and a message.
public struct LDNSError: Error, Sendable, Equatable, CustomStringConvertible {
    /// `ldns_status`, or -1 if the wrapper rejected the input before libldns.
    public var code: Int32
    /// libldns's message for `code`, or ours.
    public var message: String
    /// The rejected text, or a description of the rejected bytes; at most 80 characters.
    public var input: String

    public var description: String { input.isEmpty ? message : "\(message): \(input)" }

    init(_ status: ldns_status, input: String) {
        code = Int32(bitPattern: status.rawValue)
        message = ldns_get_errorstr_by_id(status).map { String(cString: $0) } ?? "libldns error \(status.rawValue)"
        self.input = String(input.prefix(80))
    }

    init(_ message: String, input: String) {
        code = -1
        self.message = message
        self.input = String(input.prefix(80))
    }
}
