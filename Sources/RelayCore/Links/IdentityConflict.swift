import ReflectorModel

/// What a node claims to be, and what the zone says instead.
public struct IdentityConflict: Sendable, Equatable, CustomStringConvertible {
    public enum Cause: Sendable, Equatable {
        /// Its id on the wire is not the one of its name.
        case id
        /// The zone gives the host another role or region.
        case part
        /// Another node has the name at the address that the zone gives it.
        case address
    }

    public var name: String
    public var endpoint: Endpoint
    /// As it says.
    public var claimed: NodeListing.Part
    /// As the zone says; "" if it says nothing of parts.
    public var zone: String
    public var cause: Cause

    public var description: String {
        let who = "\(name) (\(endpoint)) is refused:"
        switch cause {
        case .id: return "\(who) its id on the wire is not that of its name"
        case .part:
            return
                "\(who) it claims \(claimed), but the zone says \(zone); start it with the command and --region that "
                + "the zone gives this host, or correct the setregion, region or stream line"
        case .address:
            return
                "\(who) another node of that name is at the address that the zone gives it; stop one of the two, or "
                + "give this host a name of its own"
        }
    }
}
