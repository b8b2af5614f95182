import ReflectorModel

/// A name for which no server had an answer to go by, and what was wrong with each server.
public struct UnansweredLookUp: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was wrong with one server.
    public enum Complaint: Hashable, Sendable {
        /// No answer in time.
        case silent
        /// Nothing listens there, or there is no way to it.
        case unreachable
        /// The answer could not be read.
        case malformed
        /// RFC 1035 §4.1.1 and RFC 2136 §2.2: the server does not know the zone.
        case notItsZone(rcode: UInt8)
        /// An answer out of a cache, or a referral.
        case notAuthoritative
        /// Any other RCODE.
        case failed(rcode: UInt8)
    }

    /// Absolute, without the final dot.
    public var name: String
    public var zone: String
    /// What the node state machine is told.
    public var failure: LookUpFailure
    /// Of the last question to each server, in the order in which the servers are configured.
    public var complaints: [Server]

    public struct Server: Hashable, Sendable {
        public var endpoint: Endpoint
        public var complaint: Complaint
    }

    public var description: String {
        let causes = complaints.isEmpty ? ["\(failure)"] : complaints.map { "\($0.endpoint) \(text($0.complaint))" }
        return "\(name): \(causes.joined(separator: "; "))"
    }

    private func text(_ complaint: Complaint) -> String {
        switch complaint {
        case .silent: "does not answer"
        case .unreachable: "cannot be reached: nothing listens there"
        case .malformed: "gives an answer that cannot be read: is it a name server?"
        case .notItsZone(let rcode): "is not authoritative for \(zone) (\(Self.mnemonic(rcode))): is --zone right?"
        case .notAuthoritative: "is not authoritative for \(zone): give the zone's own name servers, not a resolver"
        case .failed(let rcode): "answers \(Self.mnemonic(rcode))"
        }
    }

    private static func mnemonic(_ rcode: UInt8) -> String {
        switch rcode {
        case 1: "FORMERR"
        case 2: "SERVFAIL"
        case 4: "NOTIMP"
        case 5: "REFUSED"
        case 9: "NOTAUTH"
        default: "RCODE \(rcode)"
        }
    }
}

extension UnansweredLookUp.Complaint {
    /// What is wrong with an answer that could be read but is lame.
    init(rcode: UInt8, isAuthoritative: Bool) {
        switch rcode {
        case 5, 9: self = .notItsZone(rcode: rcode)
        case 0, 3: self = isAuthoritative ? .failed(rcode: 2) : .notAuthoritative
        default: self = .failed(rcode: rcode)
        }
    }
}
