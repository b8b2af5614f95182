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

    func open(_ session: IngestSession) async -> IngestOpening {
        let answer: LookUpAnswer
        switch await resolver.lookUp(.candidates(session.stream)) {
        case .records(let found): answer = found
        case .noSuchName, .noData: return .unknownStream
        case .failed:
            guard let remembered = await memory.answer(for: .candidates(session.stream)) else { return .unavailable }
            answer = remembered
        }
        guard answer.hosts.contains(where: { $0.name == name }) else { return .unknownStream }
        let (loop, shell) = (loop, shell)
        let isProvided = await loop.query { shell.value.provide(session.stream) }
        return isProvided == true ? .accepted : .unavailable
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

    func close(_ session: IngestSession) {
        payloadLimits.forget(session.stream)
        let (loop, shell) = (loop, shell)
        loop.execute { shell.value.node.encoderLeft(session.stream, at: loop.now) }
    }
}
