import ReflectorModel

/// What a node claims to be, and what the zone says instead.
public struct IdentityConflict: Sendable, Equatable, CustomStringConvertible {
    public enum Cause: Sendable, Equatable {
        /// The zone assigns the host another role or region.
        case part
        /// Another node already uses the name at the address that the zone assigns to it.
        case address
    }

    public var name: String
    public var endpoint: Endpoint
    /// The node's claim.
    public var claimed: NodeListing.Part
    /// The zone's record; "" if it states no role or region.
    public var zone: String
    public var cause: Cause

    public var description: String {
        let who = "\(name) (\(endpoint)) is refused:"
        switch cause {
        case .part:
            return
                "\(who) its certificate says \(claimed), but the zone says \(zone); start it with the command and --region that "
                + "match the zone, or correct the setregion, region or stream line"
        case .address:
            return
                "\(who) another node with that name is at the address that the zone gives it; stop one of the two, "
                + "or give this host a name of its own"
        }
    }
}
