import Foundation
import Testing

/// Real processes in network namespaces of their own; where those can't be made, there is nothing to test.
@Suite("IPv4, IPv6 and the MTU", .serialized, .enabled(if: NetworkNamespaces.canBeMade))
struct TwoFamiliesTests {
    private func run(_ name: String) throws -> (values: [String: String], output: String) {
        let script = Program.root.appendingPathComponent("Tests/Scripts/two-families.sh").path
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("two-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let result = try Program.run("unshare", ["-n", script, Program.reflector, folder, name], seconds: 40)
        #expect(result.code == 0, "\(result.errors)")
        var values: [String: String] = [:]
        for line in result.lines {
            let parts = line.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { values[String(parts[0])] = String(parts[1]) }
        }
        return (values, result.output)
    }

    /// Half a second of the stream, which has a megabit a second.
    private static let someBytes = 60_000

    @Test("An edge with IPv6 only fetches from set reflectors that have both, and serves viewers over IPv6")
    func v6only() throws {
        let (values, output) = try run("v6only")
        #expect(values["parent"] == "[2001:db8:9::3]:4900", "\(output)")
        #expect(Int(values["six"] ?? "") ?? 0 > Self.someBytes, "\(output)")
        #expect(values["lost"] == "0", "\(output)")
    }

    @Test("An edge with both serves both from set reflectors that have IPv4 only")
    func v4parent() throws {
        let (values, output) = try run("v4parent")
        #expect(values["parent"] == "10.9.0.3:4900", "\(output)")
        #expect(Int(values["six"] ?? "") ?? 0 > Self.someBytes, "\(output)")
        #expect(Int(values["four"] ?? "") ?? 0 > Self.someBytes, "\(output)")
    }

    @Test("A set reflector whose AAAA record is on no interface is reached over IPv4, and both logs say so")
    func deadV6() throws {
        let (values, output) = try run("deadv6")
        #expect(values["parent"] == "10.9.0.3:4900", "\(output)")
        #expect(Int(values["six"] ?? "") ?? 0 > Self.someBytes, "\(output)")
        #expect(output.contains("does not answer at [2001:db8:9::3]:4900: using 10.9.0.3:4900"))
        #expect(output.contains("own address not there"))
    }

    @Test("On kernels without IPv6 (ipv6.disable=1) all works over IPv4; without --ops only loopback tells of a node")
    func noV6() throws {
        let (values, output) = try run("no6")
        #expect(values["parent"] == "10.9.0.3:4900", "\(output)")
        #expect(Int(values["four"] ?? "") ?? 0 > Self.someBytes, "\(output)")
        #expect(values["lost"] == "0", "\(output)")
        #expect(values["opsOutside"] == "000", "\(output)")
    }

    @Test("What the kernel refuses to send for a while is in the log with its cause, and the stream comes back")
    func refused() throws {
        let (values, output) = try run("refused")
        #expect(values["parent"] == "10.9.0.3:4900", "\(output)")
        #expect(Int(values["four"] ?? "") ?? 0 > Self.someBytes, "\(output)")
        let line = output.split(separator: "\n").first { $0.contains("datagrams not sent") } ?? ""
        #expect(line.contains("Operation not permitted"), "\(output)")
    }

    @Test("Behind an MTU of 1280 that nobody tells of, the stream comes in smaller packets, and the logs say why")
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
