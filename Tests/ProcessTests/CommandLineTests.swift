import ArgumentParser
import Foundation
import TestSupport
import Testing

@testable import reflector

@Suite("The command line")
struct CommandLineTests {
    private func run(_ arguments: String...) throws -> Program.Result { try Program.run(Program.reflector, arguments) }

    @Test(
        "Wrong usage exits with 2 and names the subcommand, even if the command detects it only at run time",
        arguments: [
            (["status", "--node", "foo"], "reflector status"),
            (["trace", "live/news", "--region", "abc"], "reflector trace"),
            (["trace", "LIVE NEWS", "--region", "1"], "reflector trace"),
            (["keys", "streams", "/nowhere/keys", "--stream", "live*"], "reflector keys streams"),
            (
                ["set", "sjc-1", "--identity", "/nowhere", "--capacity", "10Gbit"],
                "reflector set"
            ),
            (["set", "sjc-1", "--identity", "/nowhere", "--deadline", "0"], "reflector set"),
            (["set", "sjc-1", "--identity", "/nowhere", "--port", "0"], "reflector set"),
            (
                ["edge", "edge-1", "--region", "1", "--identity", "/nowhere", "--ops", "x"],
                "reflector edge"
            ),
            (
                ["entrypoint", "ep-1", "--keys", "/nowhere", "--identity", "/nowhere", "--ingest-rate-max", "1"],
                "reflector entrypoint"
            ),
            (["status", "--role", "king"], "reflector status"),
        ])
    func usage(_ arguments: [String], _ command: String) throws {
        let result = try Program.run(Program.reflector, arguments)
        #expect(result.code == 2, "\(result.errors)")
        #expect(result.errors.hasPrefix("Error: "), "\(result.errors)")
        #expect(result.errors.contains("\nUsage: \(command) "), "\(result.errors)")
        #expect(result.errors.contains("See '\(command) --help'"), "\(result.errors)")
    }

    @Test("An unusable identity is not wrong usage: it gives exit status 1 and lines that name the files")
    func identity() throws {
        for arguments in [
            ["set", "sjc-1", "--capacity", "10Gbps"], ["edge", "edge-1", "--region", "1"], ["entrypoint", "ep-1"],
        ] {
            let result = try Program.run(
                Program.reflector, arguments + ["--identity", "/nowhere"])
            #expect(result.code == 1, "\(result.errors)")
            #expect(result.errors.hasPrefix("reflector: /nowhere"), "\(result.errors)")
        }
    }

    @Test("An unknown command with --help is wrong usage")
    func helpOfNothing() throws {
        for words in [["nosuch"], ["zone", "nosuch"]] {
            let result = try Program.run(Program.reflector, words + ["--help"])
            #expect(result.code == 2)
            #expect(result.errors.hasPrefix("Error: no command 'reflector \(words.joined(separator: " "))'"))
        }
        #expect(try run("zone", "check", "--help").code == 0)
        #expect(try run("zone", "--help").code == 0)
    }

    @Test("Help of a command that does not exist is wrong usage; help of an existing one is not")
    func help() throws {
        for words in [["nosuch"], ["zone", "nosuch"]] {
            let result = try Program.run(Program.reflector, ["help"] + words)
            #expect(result.code == 2)
            #expect(result.errors.hasPrefix("Error: no command 'reflector \(words.joined(separator: " "))'"))
        }
        #expect(try run("help", "zone", "check").output.contains("USAGE: reflector zone check"))
        #expect(try run("help").code == 0)
        #expect(try run("--version").output.hasPrefix("reflector "))
    }

    @Test("In the help of every visible command, the examples can be copied: none is wrapped")
    func examples() {
        var commands: [any ParsableCommand.Type] = [Reflector.self]
        var examples = 0
        while let command = commands.popLast() {
            commands += command.configuration.subcommands.filter { $0.configuration.shouldDisplay }
            let help = Reflector.helpMessage(for: command, columns: 80).split(separator: "\n")
            for line in command.configuration.discussion.split(separator: "\n") where line.hasPrefix("  ") {
                #expect(help.contains(line), "\(command): \(line)")
                examples += line.contains("reflector ") ? 1 : 0
            }
        }
        #expect(examples > 12)
    }

    @Test("An unusable state folder gives one line and exit 2", arguments: ["/etc/passwd", "/proc/x"])
    func stateFolder(_ path: String) throws {
        let zones = Program.root.appendingPathComponent("zones").path
        let result = try run("up", "--zones", zones, "--state", path)
        #expect(result.code == 2)
        #expect(result.errors.hasPrefix("reflector: --state: cannot create or write a folder there: \(path)"))
        #expect(result.errors.split(separator: "\n").count == 1 && result.output.isEmpty, "\(result.errors)")
    }

    @Test("An unwritable statistics file is reported before anything is forwarded")
    func statistics() throws {
        let result = try run(
            "impair", "--listen", "127.104.9.1:0", "--to", "127.104.9.2:4900", "--stats", "/nonexistent/x")
        #expect(result.code == 2)
        #expect(result.errors == "reflector: --stats: /nonexistent/x: No such file or directory\n")
    }

    @Test("If nothing runs, status and trace say so instead of showing empty tables")
    func nothingRuns() throws {
        let folder = try TemporaryFolder()
        let zones = try ZonesCopy(net: 105, in: folder.path)
        for arguments in [["status"], ["trace", "live/news", "--region", "1283"]] {
            let result = try Program.run(Program.reflector, arguments + ["--zones", zones.path])
            #expect(result.code == 1 && result.output.isEmpty, "\(result.output)")
            #expect(result.errors.contains("connection refused"), "\(result.errors)")
            #expect(result.errors.hasSuffix("is the network running? start with 'reflector up'\n"))
            #expect(result.errors.split(separator: "\n").count == 1)
        }
        let one = try run("status", "--node", "127.105.9.9:4980")
        #expect(one.errors == "reflector: 127.105.9.9:4980 does not answer: connection refused\n")
        #expect(one.code == 1 && one.output.isEmpty)
    }

    @Test("Commands other than `zone check` stop after 20 problems in the zones and name the command that lists all")
    func manyProblems() throws {
        let folder = try TemporaryFolder()
        let zones = try ZonesCopy(net: 105, in: folder.path)
        try zones.edit("reflector.net.portsets") { text in
            text + (0..<50).map { "map s\($0) r\(1_000_000 + $0) nyc\n" }.joined()
        }
        for command in [["up", "--zones"], ["status", "--zones"], ["zone", "diff", zones.path]] {
            let result = try Program.run(Program.reflector, command + [zones.path])
            #expect(result.code == 2)
            let lines = result.errors.split(separator: "\n")
            #expect(lines.count == 22, "\(result.errors)")
            #expect(lines[20] == "… and 30 more: reflector zone check \(zones.path)")
        }
        #expect(try run("zone", "check", zones.path).lines.count == 50)
    }

    @Test("Writing a key file, and checking a valid one, is confirmed")
    func keys() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/keys"
        let made = try run("keys", "streams", path, "--stream", "live/news", "--stream", "live/*")
        #expect(made.code == 0 && made.errors.hasPrefix("wrote \(path) (mode 0600); encoders push with ?key="))
        let checked = try run("keys", "check", path)
        #expect(checked.code == 0 && checked.errors == "\(path) is good: 1 network key, 2 stream lines\n")
        let again = try run("keys", "streams", path)
        #expect(again.code == 1 && again.errors == "reflector: \(path): create: File exists\n", "\(again.errors)")
    }
}
