import Glibc
import DatagramIO
import ReflectorModel

/// The address to which an output sends.
struct Destination: Hashable, Sendable {
    var endpoint: Endpoint
    /// Nil for unicast.
    var group: GroupSending?

    /// The address in the form that streaming servers and players read: `udp://@239.1.0.17:5000`. VLC reads the `@` as
    /// "receive at"; ffmpeg ignores it.
    var url: String { "\(group?.isRTP ?? false ? "rtp" : "udp")://@\(endpoint)" }
}

/// Why the edge refuses a request, with the HTTP status of the answer.
enum HandoverRefusal: String, Error, CaseIterable, Sendable {
    case malformed
    case notAllowed
    case badTarget
    case taken
    case noGroups
    case tooManyNames
    case tooManyRequests
    case tooManyOutputs
    case absent
    case unavailable

    var status: Int {
        switch self {
        case .malformed: 400
        case .notAllowed, .badTarget: 403
        case .absent: 404
        case .taken, .noGroups: 409
        case .tooManyNames: 429
        case .tooManyRequests, .tooManyOutputs, .unavailable: 503
        }
    }

    /// One sentence for the person who reads the answer.
    var text: String {
        switch self {
        case .malformed: "this is not a request of a known form"
        case .notAllowed: "requests from this address are not allowed (--request-allow)"
        case .badTarget:
            "this destination is not allowed: neither a multicast group of --udp-out nor a host of --udp-out-allow"
        case .taken: "this destination carries another stream"
        case .noGroups: "no multicast group is free or configured (--udp-out), and no destination was given (to=)"
        case .tooManyNames: "this address requests too many streams that are not here"
        case .tooManyRequests: "too many requests are in force"
        case .tooManyOutputs: "too many streams are handed out"
        case .absent: "the network does not have this stream"
        case .unavailable: "the edge does not serve now"
        }
    }

    var counter: HandoverCounter {
        switch self {
        case .malformed: .refusedMalformed
        case .notAllowed: .refusedRequester
        case .badTarget: .refusedTarget
        case .taken, .noGroups: .refusedTaken
        case .tooManyNames: .refusedNames
        case .tooManyRequests, .tooManyOutputs: .refusedFull
        case .absent: .absent
        case .unavailable: .refusedUnavailable
        }
    }
}

/// Chooses the destination of a request among those that the operator allows.
struct DestinationRules: Sendable {
    private let configuration: HandoverConfiguration
    private let ownGroups: [StreamName: StreamGroup]
    private let reserved: [Endpoint: StreamName]

    init(_ configuration: HandoverConfiguration) {
        self.configuration = configuration
        ownGroups = Dictionary(configuration.groups.map { ($0.stream, $0) }) { first, _ in first }
        reserved = Dictionary(configuration.groups.map { ($0.endpoint, $0.stream) }) { first, _ in first }
    }

    /// - Parameters:
    ///   - wanted: the destination that the request names; nil for the stream's group.
    ///   - isV4: the family of the group; nil if either will do.
    ///   - used: returns the stream that an output sends to a destination now.
    /// - Returns: the destination, and whether the stream's first group is in use by another stream.
    func destination(
        of stream: StreamName, wanted: Endpoint?, isV4: Bool?, used: (Endpoint) -> StreamName?
    ) throws(HandoverRefusal) -> (destination: Destination, isCollision: Bool) {
        func isFree(_ endpoint: Endpoint) -> Bool {
            (used(endpoint) ?? stream) == stream && (reserved[endpoint] ?? stream) == stream
        }
        if let wanted {
            let destination = try destination(wanted)
            guard isFree(wanted) else { throw .taken }
            return (destination, false)
        }
        if let own = ownGroups[stream], isV4 ?? own.endpoint.address.isV4 == own.endpoint.address.isV4 {
            guard isFree(own.endpoint) else { throw .taken }
            return (Destination(endpoint: own.endpoint, group: own.sending), false)
        }
        for range in configuration.ranges where isV4.map({ range.block.isV4 == $0 }) ?? true {
            let groups = range.groups(for: stream)
            // A stream stays where it is, even if its first group has become free.
            let current = groups.first { used($0) == stream }
            guard let found = current ?? groups.first(where: isFree) else { continue }
            return (Destination(endpoint: found, group: range.sending), found != groups.first)
        }
        throw .noGroups
    }

    private func destination(_ wanted: Endpoint) throws(HandoverRefusal) -> Destination {
        let address = wanted.address
        if address.isMulticast {
            if let own = configuration.groups.first(where: { $0.endpoint == wanted }) {
                return Destination(endpoint: wanted, group: own.sending)
            }
            guard let range = configuration.ranges.first(where: { $0.contains(wanted) }) else { throw .badTarget }
            return Destination(endpoint: wanted, group: range.sending)
        }
        guard wanted.port >= HandoverConfiguration.portMin, !address.isUnspecified, !address.isLinkLocal,
            configuration.allow.contains(where: { $0.contains(address) }), Self.isHost(wanted)
        else { throw .badTarget }
        return Destination(endpoint: wanted)
    }

    /// False if the kernel has no route to the address, or treats it as a broadcast address. The check connects a socket
    /// without the right to broadcast: that sends nothing, and fails in both cases (ip(7)).
    private static func isHost(_ endpoint: Endpoint) -> Bool { LocalAddresses.source(towards: endpoint) != nil }
}
