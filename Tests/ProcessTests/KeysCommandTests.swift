import DatagramIO
import Foundation
import IdentityKeys
import NodeIdentity
import ReflectorModel
import SecretFiles
import TestSupport
import Testing

@testable import reflector

@Suite("reflector keys: operators and nodes", .serialized)
struct KeysCommandTests {
    /// A folder with the example zone, an operator and the requests of some hosts.
    private struct Site {
        let folder: TemporaryFolder
        let zones: ZonesCopy
        var path: String { folder.path }

        init() throws {
            folder = try TemporaryFolder()
            zones = try ZonesCopy(net: 112, in: folder.path)
            let made = try keys("init", path + "/operator", "--name", "alice")
            #expect(made.code == 0 && made.output.hasPrefix("operator alice admin "), "\(made.errors)")
        }

        func keys(_ arguments: String...) throws -> Program.Result {
            try Program.run(Program.reflector, ["keys"] + arguments)
        }

        /// The path of a file with the node's request.
        func request(_ name: String) throws -> String {
            let result = try keys("request", name, "--identity", identity(name))
            #expect(result.code == 0 && result.lines.count == 1, "\(result.errors)")
            let file = "\(path)/\(name).request"
            try result.output.write(toFile: file, atomically: false, encoding: .utf8)
            return file
        }

        func sign(_ arguments: String...) throws -> Program.Result {
            try Program.run(
                Program.reflector,
                ["keys", "sign", "--operator", path + "/operator", "--zones", zones.path, "--out", path + "/signed"]
                    + arguments)
        }

        func install(_ name: String) throws -> Program.Result {
            try keys(
                "install", "\(path)/signed/\(name).certificate", "--identity", identity(name), "--operators",
                path + "/operator/operators")
        }

        func revoke(_ arguments: String...) throws -> Program.Result {
            try Program.run(
                Program.reflector,
                ["keys", "revoke", "--operator", path + "/operator", "--zones", zones.path] + arguments)
        }

        func identity(_ name: String) -> String { "\(path)/\(name)" }
    }

    @Test("Request, sign, install, show: roles and regions come from the zone's own files")
    func life() throws {
        let site = try Site()
        defer { site.folder.remove() }
        let names = ["edge-bos", "nyc-1", "ep-bos", "ns1"]
        let requests = try names.map { try site.request($0) }
        let signed = try site.sign(requests[0], requests[1], requests[2], requests[3])
        #expect(signed.code == 0, "\(signed.errors)")
        #expect(signed.output.contains("edge-bos.certificate: edge of r1283, valid for 90 more days, serial "))
        #expect(signed.output.contains("nyc-1.certificate: set of nyc, valid for"))
        #expect(signed.output.contains("ep-bos.certificate: entrypoint, valid for"))
        #expect(signed.output.contains("ns1.certificate: name-server, valid for"))
        for name in names {
            let installed = try site.install(name)
            #expect(installed.code == 0, "\(installed.errors)")
            let shown = try site.keys("show", site.identity(name), "--zones", site.zones.path)
            #expect(shown.code == 0 && shown.output.hasPrefix("\(name): "), "\(shown.errors)")
            #expect(shown.output.contains("signed by alice (admin), key "))
        }
        let operating = try site.keys("show", site.path + "/operator")
        #expect(operating.code == 0 && operating.output.hasSuffix("  4 certificates issued, 4 valid\n"))
        let mode = try FileManager.default.attributesOfItem(atPath: site.identity("ns1") + "/node.key")
        #expect(mode[.posixPermissions] as? Int == 0o600)
    }

    @Test("Hosts that the zone does not list, and contradictions to it, are refused with what to do")
    func places() throws {
        let site = try Site()
        defer { site.folder.remove() }
        let (edge, stray) = (try site.request("edge-bos"), try site.request("stray"))
        let unlisted = try site.sign(stray)
        #expect(unlisted.code == 1 && unlisted.errors.contains("no line of reflector.net names it"))
        let contrary = try site.sign(edge, "--role", "set")
        #expect(contrary.code == 1 && contrary.errors.contains("reflector.net has it as edge of r1283"))
        #expect(try site.sign(stray, "--role", "edge").code == 1)
        #expect(try site.sign(stray, "--role", "edge", "--region", "77").output.contains("edge of r77"))
        #expect(try site.sign(edge, "--days", "0").code == 2)
        // Another key of the same name.
        #expect(try site.sign(edge).code == 0)
        try FileManager.default.removeItem(atPath: site.identity("edge-bos"))
        let again = try site.request("edge-bos")
        let refused = try site.sign(again)
        #expect(refused.code == 1 && refused.errors.contains("another key of edge-bos has certificate"))
        #expect(try site.sign(again, "--replace").code == 0)
    }

    @Test("A revoked node is in the zone's list, show says so, and its name can be certified again with a new key")
    func revoke() throws {
        let site = try Site()
        defer { site.folder.remove() }
        #expect(try site.sign(try site.request("edge-bos")).code == 0 && site.install("edge-bos").code == 0)
        #expect(try site.revoke("edge-bos").code == 2)
        let revoked = try site.revoke("edge-bos", "--why", "disk stolen")
        #expect(revoked.code == 0 && revoked.output.contains("disk stolen"), "\(revoked.errors)")
        let list = try RevocationFile.load(site.zones.path + "/reflector.net.revocations", zone: "reflector.net")
        #expect(list.content.sequence == 1 && list.content.serials.count == 1)
        let shown = try site.keys("show", site.identity("edge-bos"), "--zones", site.zones.path)
        #expect(shown.code == 1 && shown.errors.contains("the certificate is revoked (list 1)"))
        #expect(try site.revoke("edge-bos", "--why", "again").code == 1)
        #expect(try site.revoke("--resign").code == 0)
        try FileManager.default.removeItem(atPath: site.identity("edge-bos"))
        #expect(try site.sign(try site.request("edge-bos")).code == 0 && site.install("edge-bos").code == 0)
        #expect(try site.keys("show", site.identity("edge-bos"), "--zones", site.zones.path).code == 0)
    }

    @Test("A node does not start with another's certificate, role, region or zone, nor with a key that others can read")
    func claims() async throws {
        try await TestNetwork.with(net: 113) { network in
            func start(_ name: String, as other: String) throws -> Program.Result {
                var arguments = try network.arguments(of: name)
                arguments += ["--identity", network.identities.folder(of: other)]
                return try Program.run(Program.reflector, arguments)
            }
            for (name, other, text) in [
                ("sjc-1", "nyc-1", "the certificate is of nyc-1"), ("edge-bos", "edge-nen", "is of region r1284"),
                ("edge-bos", "ep-bos", "the certificate says entrypoint"),
            ] {
                let result = try start(name, as: other)
                #expect(result.code == 1 && result.errors.contains(text), "\(result.errors)")
            }
            let key = IdentityFolder.keyPath(network.identities.folder(of: "sjc-1"))
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: key)
            let open = try start("sjc-1", as: "sjc-1")
            #expect(open.code == 1 && open.errors.contains("chmod 600"), "\(open.errors)")
        }
    }

    @Test("A certificate near its end is in the log, the metrics and the status; SIGHUP takes the renewed one")
    func expiry() async throws {
        try await TestNetwork.with(net: 114) { network in
            let folder = network.identities.folder(of: "sjc-1")
            func certify(seconds: UInt64) throws {
                var operating = try OperatorFolder(admin: network.identities.operatorFolder)
                let request = try IdentityFolder.request(for: "sjc-1", in: folder)
                let certificate = try operating.sign(
                    [.init(request, role: .set, region: .set("sjc"))], zone: "reflector.net",
                    now: WallClock.certificateSeconds, seconds: seconds)[0]
                try IdentityFolder.install(certificate, operators: nil, in: folder)
            }
            try certify(seconds: 2_990)
            try await network.start("ns1")
            try await network.start("sjc-1")
            try await eventually("a warning") {
                network.log(of: "sjc-1").contains("the certificate expires in")
                    && network.log(of: "sjc-1").contains("renew=")
            }
            try await network.waitUntilReady("sjc-1")
            let left = try #require(try await network.status(of: "sjc-1").certificateExpiresSeconds)
            #expect((2_900...2_990).contains(left))
            let ops = try network.node("sjc-1").ops
            let metrics = try Program.run("curl", ["-s", "http://\(ops)/metrics"])
            #expect(metrics.output.contains("\nreflector_certificate_expires_seconds{node=\"sjc-1\",role=\"set\"} 29"))
            try certify(seconds: 90 * 86_400)
            kill(try #require(await network.pid(of: "sjc-1")), SIGHUP)
            try await eventually("the renewed certificate") { network.log(of: "sjc-1").contains("identity reloaded") }
            #expect((try await network.status(of: "sjc-1").certificateExpiresSeconds ?? 0) > 80 * 86_400)
        }
    }

    @Test("No core dump of a daemon is written, and no key is in a log")
    func memory() async throws {
        try await TestNetwork.with(net: 115) { network in
            for name in ["ns1", "sjc-1"] {
                try await network.start(name)
                try await network.waitUntilReady(name)
                let pid = try #require(await network.pid(of: name))
                let limits = try String(contentsOfFile: "/proc/\(pid)/limits", encoding: .utf8)
                let core = limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") }
                #expect(core?.split(separator: " ").suffix(3).first == "0", "\(core ?? "")")
                let key = try String(
                    contentsOfFile: IdentityFolder.keyPath(network.identities.folder(of: name)), encoding: .utf8)
                let secret = try #require(key.split(whereSeparator: \.isWhitespace).last)
                #expect(secret.count == 64 && !network.log(of: name).contains(secret))
            }
        }
        let before = ProcessMemory.mayBeDumped
        #expect(ProcessMemory.forbidDumps() && !ProcessMemory.mayBeDumped && before)
    }
}
