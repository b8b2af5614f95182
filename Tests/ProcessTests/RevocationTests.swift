import Foundation
import Glibc
import Logging
import NodeIdentity
import ReflectorModel
import RelayService
import Synchronization
import TestIdentities
import TestSupport
import Testing

/// From the file in the zones folder to a node: real name servers, and the watch as a node runs it.
@Suite("Revocation lists reach a node", .serialized)
struct RevocationTests {
    private static let zone = "reflector.net"
    private static let file = "reflector.net.revocations"
    /// What the operator expects at every node.
    private static let limit = Duration.seconds(5)

    /// The newest list that a watch handed on.
    private final class InForce: Sendable {
        private let sequence = Mutex<UInt64>(0)
        func note(_ list: RevocationList) { sequence.withLock { $0 = list.content.sequence } }
        var now: UInt64 { sequence.withLock { $0 } }
    }

    @Test("With two name servers, then with one killed, a new list is in force in < 5 s; a restart begins with it")
    func spread() async throws {
        let signer = try TestOperator()
        let listen = ["127.86.1.1:5390", "127.86.1.2:5390"]
        try await RunningNameServer.with(net: 86, ["--listen", listen[0]]) { first in
            try await RunningNameServer.with(net: 86, ["--listen", listen[1]]) { second in
                let state = first.folder + "/node"
                let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
                let configuration = RevocationWatch.Configuration(
                    zone: Self.zone, servers: try listen.map { try #require(Endpoint($0)) },
                    operators: signer.authorities, stateDirectory: state)
                let inForce = InForce()
                let watch = RevocationWatch(configuration, logger: logger) { inForce.note($0) }
                let running = Task { await watch.run() }
                defer { running.cancel() }
                var sequence: UInt64 = 0
                func publish(_ serials: ClosedRange<UInt64>, at servers: [RunningNameServer]) async throws -> Duration {
                    sequence += 1
                    let text = try signer.revocationText(serials, sequence: sequence, zone: Self.zone)
                    let start = ContinuousClock.now
                    for server in servers { try server.zones.write(text, to: Self.file) }
                    try await eventually("list \(sequence)", within: Self.limit, every: .milliseconds(5)) {
                        inForce.now == sequence
                    }
                    return ContinuousClock.now - start
                }
                var both: [Duration] = []
                for round in 1...4 { both.append(try await publish(1...UInt64(round), at: [first, second])) }
                both.append(try await publish(1...4_096, at: [first, second]))
                // The second server is behind: only the first has the list.
                let behind = try await publish(1...9, at: [first])
                first.send(SIGKILL)
                var one: [Duration] = []
                for round in 1...4 { one.append(try await publish(1...UInt64(round), at: [second])) }
                one.append(try await publish(1...4_096, at: [second]))
                print("in force: two servers \(both), one behind \(behind), one killed \(one)")
                #expect(watch.counters.value(.rejected) == 0)
                second.send(SIGKILL)
                // The list is in force before it is on the disk.
                try await eventually("the saved list") {
                    RevocationWatch(configuration, logger: logger) { _ in }.restored?.content.sequence == sequence
                }
            }
        }
    }

    @Test("zone check accepts a list, and refuses a damaged one with file, line and column")
    func check() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let zones = try ZonesCopy(net: 86, in: folder.path)
        let text = try TestOperator().revocationText([1, 2], sequence: 3, zone: Self.zone)
        try zones.write(text, to: Self.file)
        let good = try Program.run(Program.reflector, ["zone", "check", zones.path])
        #expect(good.code == 0, "\(good.output)\(good.errors)")
        try zones.write(String(text.dropLast(5)), to: Self.file)
        let bad = try Program.run(Program.reflector, ["zone", "check", zones.path])
        #expect(bad.code == 1)
        #expect((bad.output + bad.errors).contains("\(Self.file):"), "\(bad.output)\(bad.errors)")
        #expect((bad.output + bad.errors).contains("was the file cut off?"))
    }
}
