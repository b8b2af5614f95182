import Foundation
import Testing

@Suite("The units of tools/systemd")
struct SystemdUnitTests {
    @Test("systemd-analyze verify accepts the units; each has keys, can be installed, and restarts forever")
    func verify() throws {
        for unit in ["reflector@.service", "reflector-nameserver.service"] {
            let text = try String(
                contentsOf: Program.root.appendingPathComponent("tools/systemd/\(unit)"), encoding: .utf8)
            #expect(
                text.contains("--identity ") && text.contains("node.key") && text.contains("[Install]")
                    && text.contains("StartLimitIntervalSec=0"))
        }
        guard try Program.run("which", ["systemd-analyze"]).code == 0 else {
            print("skipped: no systemd-analyze on this machine; tools/setup installs it")
            return
        }
        let script = Program.root.appendingPathComponent("tools/check-systemd").path
        let verdict = try Program.run(script, [Program.reflector])
        #expect(verdict.code == 0, "\(verdict.errors)")
    }

    @Test("The documentation shows the current units")
    func documented() throws {
        let page = try String(
            contentsOf: Program.root.appendingPathComponent("Sources/reflector/Documentation.docc/RunAsServices.md"),
            encoding: .utf8)
        for unit in ["reflector@.service", "reflector-nameserver.service"] {
            let text = try String(
                contentsOf: Program.root.appendingPathComponent("tools/systemd/\(unit)"), encoding: .utf8)
            #expect(page.contains(text), "\(unit) is not in RunAsServices.md, or differs there")
        }
    }
}
