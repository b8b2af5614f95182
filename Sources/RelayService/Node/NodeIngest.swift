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
            guard answer.barred.contains(where: { $0 == name }) else { return .unknownStream }
            // Witnesses report nothing about this stream to a node that is no candidate.
            return .barred(answer.policy, leader: answer.hosts.first.map { Self.leader($0.name, in: answer) })
        }
        let policy = answer.policy
        let dependsOnLeader = !isPull && policy.standby != .hot && (policy.redirects || policy.standby == .cold)
        return .admitted(policy, leader: dependsOnLeader ? await leader(of: stream, in: answer) : nil)
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
        guard let isNew = await loop.query({ shell.value.expectPush(of: stream, answer) }) else { return nil }
        // The first time, the witnesses' reports are under way.
        for _ in 0..<(isNew ? Self.reportTries : 1) {
            if isNew { try? await Task.sleep(for: Self.reportInterval) }
            let known = await loop.query { shell.value.node.leadership(of: stream, in: answer, at: loop.now) }
            guard let known, let leader = known.leader else { continue }
            return known.isLeader || leader == name ? nil : Self.leader(leader, in: answer)
        }
        return nil
    }

    /// How long an encoder waits for the first reports on its stream: 400 ms, several round trips.
    private static let reportTries = 16
    private static let reportInterval = Duration.milliseconds(25)

    private static func leader(_ leader: String, in answer: LookUpAnswer) -> IngestLeader {
        IngestLeader(name: leader, addresses: answer.hosts.filter { $0.name == leader }.map(\.endpoint.address))
    }

    func open(_ session: IngestSession, isContinued: Bool) async -> Bool {
        let (loop, shell) = (loop, shell)
        return await loop.query {
            if shell.value.provide(session.stream, isContinued: isContinued) { return true }
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
