import DatagramIO
import ReflectorModel
import RelayCore

/// Hands encoders' payloads to the node's loop.
struct NodeIngest: IngestSink {
    let loop: DatagramLoop
    let shell: LoopBound<NodeShell>
    let resolver: StubResolver
    let memory: NodeMemory
    let name: String
    let payloadLimits: PayloadLimits

    func admit(_ stream: StreamName, isPull: Bool) async -> IngestAdmission {
        let answer: LookUpAnswer
        switch await candidates(of: stream, isPull: isPull) {
        case .success(let found): answer = found
        case .failure(.noCandidates): return .unknownStream
        case .failure(.noAnswer): return .unavailable
        }
        guard answer.hosts.contains(where: { $0.name == name }) else {
            return answer.barred.contains { $0 == name }
                ? .barred(answer.policy, leader: await leader(of: stream, in: answer)) : .unknownStream
        }
        return .admitted(answer.policy, leader: await leader(of: stream, in: answer))
    }

    private enum Missing: Error {
        case noCandidates
        case noAnswer
    }

    private func candidates(of stream: StreamName, isPull: Bool) async -> Result<LookUpAnswer, Missing> {
        // The node has just decided to pull by this answer, and viewers wait: they must not wait for the name servers,
        // too, one of which may have died together with the leader.
        if isPull, let known = await memory.answer(for: .candidates(stream)) { return .success(known) }
        switch await resolver.lookUp(.candidates(stream)) {
        case .records(let found): return .success(found)
        case .noSuchName, .noData: return .failure(.noCandidates)
        case .failed:
            guard let remembered = await memory.answer(for: .candidates(stream)) else { return .failure(.noAnswer) }
            return .success(remembered)
        }
    }

    /// Another entrypoint that leads the stream; nil if this one does, or if nobody is known to.
    private func leader(of stream: StreamName, in answer: LookUpAnswer) async -> IngestLeader? {
        let (loop, shell) = (loop, shell)
        let known = await loop.query { shell.value.node.leadership(of: stream, at: loop.now) }
        guard let known, !known.isLeader, let leader = known.leader, leader != name else { return nil }
        return IngestLeader(
            name: leader, addresses: answer.hosts.filter { $0.name == leader }.map(\.endpoint.address))
    }

    func open(_ session: IngestSession) async -> Bool {
        let (loop, shell) = (loop, shell)
        return await loop.query {
            if shell.value.provide(session.stream) { return true }
            // The session that this one replaces did not say that its encoder left.
            shell.value.node.encoderLeft(session.stream, at: loop.now)
            return false
        } ?? false
    }

    func take(_ batch: PayloadBatch, of session: IngestSession, taken: @escaping @Sendable (Bool) -> Void) {
        let (loop, shell) = (loop, shell)
        let isAccepted = loop.execute {
            let now = loop.now
            let node = shell.value.node
            if let handle = node.handle(of: session.stream) {
                batch.forEach { payload in node.ingest(payload, to: handle, at: now) }
            }
            taken(true)
        }
        if !isAccepted { taken(false) }
    }

    func payloadLimit(of session: IngestSession) -> Int? { payloadLimits.limit(of: session.stream) }

    func close(_ session: IngestSession, isReplaced: Bool) {
        guard !isReplaced else { return }
        payloadLimits.forget(session.stream)
        let (loop, shell) = (loop, shell)
        loop.execute { shell.value.node.encoderLeft(session.stream, at: loop.now) }
    }
}
