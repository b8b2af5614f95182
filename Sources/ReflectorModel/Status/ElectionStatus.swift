/// Who leads a stream, as a witness or a candidate entrypoint sees it.
public struct ElectionStatus: Codable, Sendable, Equatable {
    /// Host name of the entrypoint that leads; nil if nobody does, or if it is not known.
    public var leader: String?
    /// At a witness: how long ago the leader changed, and why.
    public var secondsAgo: Double?
    public var cause: String?
    /// At a candidate: its place in the zone's list, from 1; what it has of the stream (`able`, `live`, `lapsed`); and
    /// whether it pulls the stream from the encoder.
    public var rank: Int?
    public var supply: String?
    public var isPulling: Bool?
    /// At a candidate: whom each witness names, by the witness's host name: an entrypoint, or `nobody`.
    public var witnesses: [String: String]?

    public init(
        leader: String?, secondsAgo: Double? = nil, cause: String? = nil, rank: Int? = nil, supply: String? = nil,
        isPulling: Bool? = nil, witnesses: [String: String]? = nil
    ) {
        self.leader = leader
        self.secondsAgo = secondsAgo
        self.cause = cause
        self.rank = rank
        self.supply = supply
        self.isPulling = isPulling
        self.witnesses = witnesses
    }

    /// One sentence about the view of `node`.
    public func sentence(of node: String) -> String {
        if let rank {
            let part = [supply, isPulling == true ? "pulls" : nil].compactMap { $0 }.joined(separator: ", ")
            let views = (witnesses ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
            return "\(node) is candidate \(rank)\(part.isEmpty ? "" : " (\(part))"); "
                + (views.isEmpty ? "no witness reports on the stream" : views.joined(separator: ", "))
        }
        let since = secondsAgo.map { ", since \(Int($0)) s" } ?? ""
        return "\(node) sees \(leader ?? "nobody") lead\(since)\(cause.map { ": \($0)" } ?? "")"
    }
}
