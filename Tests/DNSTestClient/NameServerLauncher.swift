import DNSService
import Logging
import TestSupport

/// Runs a name server in this process, calls `body` with the server and its port once it answers, and stops the server
/// when `body` ends in any way.
public func withNameServer<Result>(
    _ configuration: NameServer.Configuration, isolation: isolated (any Actor)? = #isolation,
    _ body: (NameServer, UInt16) async throws -> Result
) async throws -> Result {
    let server = NameServer(
        configuration: configuration, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    return try await withRunningService { announce in
        try await server.run { announce($0[0].port) }
    } stop: {
        await server.stop()
    } _: {
        try await body(server, $0)
    }
}
