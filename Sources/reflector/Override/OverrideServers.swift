import ArgumentParser
import DatagramIO
import DNSService
import Glibc
import IdentityKeys
import LocalNetwork
import NodeIdentity
import OpsEndpoint
import ReflectorModel

/// The name servers that get the request.
struct OverrideServers: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Folder of the zone files, for the zone's name and its name servers, reached at port 4980.",
            valueName: "dir"))
    var zones = "zones"

    @Option(
        name: .customLong("server"),
        help: ArgumentHelp(
            "A name server's --ops address, instead of those from --zones; may be given several times.",
            valueName: "addr:port"))
    var servers: [String] = []

    @Option(help: "The zone, if there is no folder or it has several.")
    var zone: String?

    /// A name server, and who answers for it.
    struct Server {
        var endpoint: Endpoint
        /// Its host name in the zone; several if it is one of these, or nil if it may be any name server of the zone.
        var names: [String]?
    }

    /// The zone and its name servers.
    struct Targets {
        var zone: String
        var servers: [Server]
        /// The folder of the zone's files, if it was read.
        var folder: String?

        /// The zone's list of revoked certificates, if it has one.
        func revocations() throws(IdentityFileError) -> RevocationList? {
            guard let folder else { return nil }
            let path = RevocationFile.path(zones: folder, zone: zone)
            guard access(path, F_OK) == 0 else { return nil }
            return try RevocationFile.load(path, zone: zone)
        }
    }

    func targets() throws -> Targets {
        let given = try servers.map { try Endpoint.argument($0, option: "--server", example: "127.0.0.1:4980") }
        if let zone, !given.isEmpty {
            return Targets(zone: zone.lowercased(), servers: given.map { Server(endpoint: $0, names: nil) })
        }
        let contents = try ZoneFolder.contents(zones).filter { zone == nil || $0.zone == zone?.lowercased() }
        guard contents.count == 1, let content = contents.first else {
            throw ValidationError("\(zones) holds \(contents.count) matching zones; choose one with --zone")
        }
        let plan: NetworkPlan
        do throws(NetworkPlan.Unusable) {
            plan = try NetworkPlan(content)
        } catch {
            guard !given.isEmpty else { throw ValidationError("\(error)") }
            // A zone without edges or name servers with addresses: then --server may be any of its name servers.
            return Targets(
                zone: content.zone, servers: given.map { Server(endpoint: $0, names: nil) }, folder: zones)
        }
        let known = plan.nameServers.map { Server(endpoint: $0.ops, names: [$0.name]) }
        let all = plan.nameServers.map(\.name)
        let servers =
            given.isEmpty
            ? known
            : given.map { endpoint in known.first { $0.endpoint == endpoint } ?? Server(endpoint: endpoint, names: all)
            }
        return Targets(zone: content.zone, servers: servers, folder: zones)
    }

    func list(json: Bool) async throws {
        struct Entry: Encodable {
            var server: String
            var overrides: [NameServer.Status.Override]
            var entrypointOverrides: [NameServer.Status.EntrypointOverride]

            /// One sentence for each.
            var lines: [String] {
                overrides.map { Self.line($0.text, $0.until) }
                    + entrypointOverrides.map { Self.line($0.text, $0.until) }
            }

            private static func line(_ text: String, _ until: Int64) -> String {
                "\(text), until \(UTCTime.text(until)) (\(max(until - WallClock.seconds, 0)) s left)"
            }
        }
        var entries: [Entry] = []
        var failures = 0
        let targets = try targets()
        for target in targets.servers.map(\.endpoint) {
            do throws(OpsClient.Failure) {
                let status = try await OpsClient().status(NameServer.Status.self, of: target)
                entries.append(
                    Entry(
                        server: "\(target)", overrides: status.overrides.filter { $0.zone == targets.zone },
                        entrypointOverrides: status.entrypointOverrides.filter { $0.zone == targets.zone }))
            } catch {
                StandardError.print("\(target): \(error)")
                failures += 1
            }
        }
        if json {
            try JSONOutput.print(entries)
        } else {
            for entry in entries {
                for line in entry.lines { print("\(entry.server): \(line)") }
                if entry.lines.isEmpty { print("\(entry.server): none") }
            }
        }
        if failures > 0 { throw ExitCode(1) }
    }
}

extension NameServer.Status.Override {
    /// `drain nyc-1 by alice: new kernel`.
    var text: String { "\(action.rawValue) \(isSite ? "site " : "")\(subject) by \(by): \(reason)" }
}

extension NameServer.Status.EntrypointOverride {
    /// `pin-entrypoint ep-nyc of live/news by alice: new kernel`.
    var text: String { "\(action.rawValue)-entrypoint \(host) of \(stream) by \(by): \(reason)" }
}
