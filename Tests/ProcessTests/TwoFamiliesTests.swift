import Foundation
import TestSupport
import Testing

/// Real processes in network namespaces of their own; skipped if those can't be created.
@Suite("IPv4, IPv6 and the MTU", .serialized, .enabled(if: NetworkNamespaces.canBeMade))
struct TwoFamiliesTests {
    private func run(_ name: String) throws -> (values: [String: String], output: String) {
        let script = Program.root.appendingPathComponent("Tests/Scripts/two-families.sh").path
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let result = try Program.run("unshare", ["-n", script, Program.reflector, folder.path, name], seconds: 40)
        #expect(result.code == 0, "\(result.errors)")
        var values: [String: String] = [:]
        for line in result.lines {
            let parts = line.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { values[String(parts[0])] = String(parts[1]) }
        }
        return (values, result.output)
    }

    /// Half a second of the stream, which has a rate of one megabit a second.
    private static let someBytes = 60_000

    @Test("An IPv6-only edge fetches from set reflectors that have both families, and serves viewers over IPv6")
    func v6only() throws {
        let (values, output) = try run("v6only")
        #expect(values["parent"] == "[2001:db8:9::3]:4900", "\(output)")
        #expect(Int(values["six"] ?? "") ?? 0 > Self.someBytes, "\(output)")
        #expect(values["lost"] == "0", "\(output)")
    }

    @Test("An edge with both families serves viewers of both from IPv4-only set reflectors")
    func v4parent() throws {
        let (values, output) = try run("v4parent")
        #expect(values["parent"] == "10.9.0.3:4900", "\(output)")
        #expect(Int(values["six"] ?? "") ?? 0 > Self.someBytes, "\(output)")
        #expect(Int(values["four"] ?? "") ?? 0 > Self.someBytes, "\(output)")
    }

    @Test("A set reflector whose AAAA address is on no interface is reached over IPv4, and both logs say so")
    func deadV6() throws {
        let (values, output) = try run("deadv6")
        #expect(values["parent"] == "10.9.0.3:4900", "\(output)")
        #expect(Int(values["six"] ?? "") ?? 0 > Self.someBytes, "\(output)")
        #expect(output.contains("does not answer at [2001:db8:9::3]:4900: using 10.9.0.3:4900"))
        #expect(output.contains("own address missing"))
    }

    @Test("On kernels without IPv6 (ipv6.disable=1) IPv4 suffices; without --ops only loopback serves a node's status")
    func noV6() throws {
        let (values, output) = try run("no6")
        #expect(values["parent"] == "10.9.0.3:4900", "\(output)")
        #expect(Int(values["four"] ?? "") ?? 0 > Self.someBytes, "\(output)")
        #expect(values["lost"] == "0", "\(output)")
        #expect(values["opsOutside"] == "000", "\(output)")
    }

    @Test("Datagrams that the kernel refuses to send for a while are logged with the cause, and the stream resumes")
    func refused() throws {
        let (values, output) = try run("refused")
        #expect(values["parent"] == "10.9.0.3:4900", "\(output)")
        #expect(Int(values["four"] ?? "") ?? 0 > Self.someBytes, "\(output)")
        let line = output.split(separator: "\n").first { $0.contains("datagrams not sent") } ?? ""
        #expect(line.contains("Operation not permitted"), "\(output)")
    }

    @Test("Behind an unreported MTU of 1280, the stream comes in smaller packets, and the logs say why")
    func mtu() throws {
        let (values, output) = try run("mtu")
        #expect(Int(values["six"] ?? "") ?? 0 > Self.someBytes, "\(output)")
        #expect(values["payloadMax"] == "1128", "\(output)")
        #expect(output.contains("does not carry datagrams of 1363 bytes"), "\(output)")
        #expect(output.contains("payloads of 1128 bytes from now on"), "\(output)")
    }
}

private enum NetworkNamespaces {
    static let canBeMade = (try? Program.run("unshare", ["-n", "true"]).code) == 0
}
