/// Why a member counts as dead.
public enum RegionLoss: String, Sendable, Equatable {
    case silent = "it has not reported for three intervals"
    case leaves = "it has stopped, as it said"
    case refused = "its host says that nobody listens on its port, and it answers no question"
}
