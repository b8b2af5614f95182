import ReflectorModel

/// The election of entrypoints: a set reflector is a witness, an entrypoint is a candidate.
struct Election {
    var witness: Witness?
    var candidacy: Candidacy?

    init(_ role: NodeRole) {
        witness = role == .set ? Witness() : nil
        candidacy = role == .entrypoint ? Candidacy() : nil
    }
}
