import HTTPFetching
import NIOCore
import ReflectorModel

/// A viewer: reads a URL until it is cancelled, checks the transport stream and discards it.
actor Viewer {
    nonisolated let edge: String
    nonisolated let stream: StreamName
    nonisolated let url: String
    private(set) var check = TransportStreamCheck()
    /// Connections that ended or were refused after the first data had arrived.
    private(set) var interruptions = 0

    private static let retryInterval = Duration.milliseconds(250)

    init(edge: NetworkPlan.Node, stream: StreamName) {
        self.edge = edge.name
        self.stream = stream
        url = "http://\(edge.http)/\(stream).ts"
    }

    /// Plays until cancelled; reconnects when a connection ends or is refused.
    func watch() async {
        while !Task.isCancelled {
            do {
                let answer = try await HTTPFetch(url).answer()
                if answer.status == 200 {
                    check.restart()
                    for try await buffer in answer.body {
                        buffer.withUnsafeReadableBytes { check.take($0) }
                    }
                }
            } catch {
                // The code below counts the interruption.
            }
            guard !Task.isCancelled else { return }
            if check.bytes > 0 { interruptions += 1 }
            try? await Task.sleep(for: Self.retryInterval)
        }
    }
}
