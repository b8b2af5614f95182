import ReflectorModel

/// Sends an encoder that pushes over HTTP to the entrypoint that leads its stream.
struct IngestRedirect: Hashable, Sendable {
    /// Name of the leading entrypoint.
    let leader: String
    let address: IPAddress

    /// Nil if the encoder can't be sent there.
    ///
    /// - Parameter local: our address at the encoder's connection; nil for encoders that can't be redirected. The
    ///   leader's address of the same family is preferred, because the encoder has shown that it can use that.
    init?(to leader: IngestLeader, from local: IPAddress?) {
        guard let local, !leader.addresses.contains(local),
            let address = leader.addresses.first(where: { $0.isV4 == local.isV4 }) ?? leader.addresses.first
        else { return nil }
        (self.leader, self.address) = (leader.name, address)
    }

    /// The `Location` of the answer: the leader's ingest, which has the same port as ours.
    ///
    /// - Parameter target: path and query of the encoder's request.
    func location(target: String, port: UInt16) -> String {
        let separator = target.contains("?") ? "&" : "?"
        return "http://\(Endpoint(address: address, port: port))\(target)\(separator)\(PushRequest.redirectMark)"
    }
}
