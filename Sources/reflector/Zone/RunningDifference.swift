import ArgumentParser
import DNSAnswers
import DNSService
import LocalNetwork
import OpsEndpoint
import ReflectorModel

/// Differences between the answers of a running name server and the files: overrides, health, leads, and a refused
/// generation.
struct RunningDifference: Encodable {
    var server: String
    /// One sentence for each difference.
    var lines: [String]

    /// Queries the name servers of a directory's zones and prints the differences. Exits with 1 if there are any, or a
    /// server does not answer.
    static func print(_ directory: String, servers: [String], json: Bool) async throws {
        let contents = try ZoneFolder.contents(directory)
        var targets = try servers.map { try Endpoint.argument($0, option: "--server", example: "127.0.0.1:4980") }
        if targets.isEmpty {
            for content in contents {
                guard let plan = try? NetworkPlan(content) else { continue }
                targets += plan.nameServers.map(\.ops).filter { !targets.contains($0) }
            }
        }
        guard !targets.isEmpty else { throw ValidationError("no name server is known; name one with --server") }
        var differences: [RunningDifference] = []
        for target in targets {
            do throws(OpsClient.Failure) {
                let status = try await OpsClient().status(NameServer.Status.self, of: target)
                differences.append(RunningDifference(server: "\(target)", lines: lines(status, contents)))
            } catch {
                differences.append(RunningDifference(server: "\(target)", lines: ["\(error)"]))
            }
        }
        if json {
            try JSONOutput.print(differences)
        } else {
            for difference in differences {
                for line in difference.lines { Swift.print("\(difference.server): \(line)") }
            }
        }
        if differences.contains(where: { !$0.lines.isEmpty }) { throw ExitCode(1) }
    }

    private static func lines(_ status: NameServer.Status, _ contents: [ZoneContent]) -> [String] {
        var lines = status.problems.isEmpty ? [] : ["the server refused the files: \(status.problems.count) problems"]
        if status.probing.hasPrefix("frozen") { lines.append("probing is \(status.probing)") }
        lines += status.overrides.map { "override \($0.text), until \(UTCTime.text($0.until))" }
        lines += status.entrypointOverrides.map { "override \($0.text), until \(UTCTime.text($0.until))" }
        lines += status.leads.map { "\($0.stream): \($0.host.map { "led by \($0)" } ?? "led by nobody")" }
        for content in contents {
            for region in content.setRegions {
                let weight = Int(ZoneContent.weight(capacity: region.capacity))
                for member in region.members where content.hosts.indices.contains(member.host) {
                    let name = content.hosts[member.host].name
                    let host = status.hosts.first {
                        $0.zone == content.zone && $0.set == region.name && $0.name == name && $0.port == member.port
                    }
                    guard let host else {
                        lines.append("\(region.name): \(name) is unknown there")
                        continue
                    }
                    if let own = host.weight {
                        guard own != weight || host.health == "dead" else { continue }
                        lines.append("\(region.name): \(name) weight \(weight) → \(own): health \(host.health)")
                    } else {
                        lines.append("\(region.name): \(name) left out: health \(host.health)")
                    }
                }
            }
        }
        return lines
    }
}
