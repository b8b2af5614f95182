import ReflectorModel

/// A name for which no server had a usable answer, with the problem of each server.
public struct UnansweredLookUp: Error, Hashable, Sendable, CustomStringConvertible {
    /// The problem of one server.
    public enum Problem: Hashable, Sendable {
        /// No answer in time.
        case silent
        /// Nothing listens there, or there is no route to it.
        case unreachable
        /// The answer could not be read.
        case malformed
        /// REFUSED (RFC 1035 §4.1.1) or NOTAUTH (RFC 2136 §2.2): the server does not know the zone.
        case notItsZone(rcode: UInt8)
        /// An answer from a cache, or a referral.
        case notAuthoritative
        /// Any other RCODE.
        case failed(rcode: UInt8)
    }

    /// Absolute, without the final dot.
    public var name: String
    public var zone: String
    /// The failure as the node state machine gets it.
    public var failure: LookUpFailure
    /// The problem of each server's last query, in the order in which the servers are configured.
    public var problems: [Server]

    public struct Server: Hashable, Sendable {
        public var endpoint: Endpoint
        public var problem: Problem
    }

    public var description: String {
        let causes = problems.isEmpty ? ["\(failure)"] : problems.map { "\($0.endpoint) \(text($0.problem))" }
        return "\(name): \(causes.joined(separator: "; "))"
    }

    private func text(_ problem: Problem) -> String {
        switch problem {
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

extension UnansweredLookUp.Problem {
    /// The problem of an answer that could be read but is lame.
    init(rcode: UInt8, isAuthoritative: Bool) {
        switch rcode {
        case 5, 9: self = .notItsZone(rcode: rcode)
        case 0, 3: self = isAuthoritative ? .failed(rcode: 2) : .notAuthoritative
        default: self = .failed(rcode: rcode)
        }
    }
}
