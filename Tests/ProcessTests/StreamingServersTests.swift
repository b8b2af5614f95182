import Foundation
import TestSupport
import Testing

/// nginx with nginx-rtmp, VLC and ffmpeg get a stream from an edge over UDP, in network namespaces of their own;
/// skipped if those can't be created. The servers take long to install, so `REFLECTOR_SERVERS=1` runs these tests, after
/// `tools/setup servers`.
@Suite(
    "Other people's streaming servers", .serialized,
    .enabled(if: ProcessInfo.processInfo.environment["REFLECTOR_SERVERS"] != nil),
    .enabled(if: (try? Program.run("unshare", ["-n", "true"]).code) == 0))
struct StreamingServersTests {
    private func run(_ name: String) throws -> (values: [String: String], output: String) {
        let script = Program.root.appendingPathComponent("Tests/Scripts/streaming-servers.sh").path
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let result = try Program.run("unshare", ["-n", script, Program.reflector, folder.path, name], seconds: 90)
        #expect(result.code == 0, "\(result.errors)")
        var values: [String: String] = [:]
        for line in result.lines {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { values[String(parts[0])] = String(parts[1]) }
        }
        if values["address"]?.hasPrefix("udp://@239.1.") != true { print(result.output, result.errors) }
        return (values, result.output)
    }

    private func number(_ text: String?) -> Int { Int(text ?? "") ?? 0 }

    /// Three of five seconds recorded, at 25 pictures a second: a receiver may join a second before a key frame.
    private static let somePictures = 75

    @Test("nginx-rtmp fetches a stream once for all its players with exec_pull, and ends the request with the last one")
    func pull() throws {
        let (values, output) = try run("pull")
        #expect(number(values["one"]) >= Self.somePictures, "\(output)")
        #expect(number(values["two"]) >= Self.somePictures, "\(output)")
        #expect(values["outputsLeft"] == "0", "\(output)")
        #expect(values["begun"] == "1", "\(output)")
    }

    @Test("nginx-rtmp requests with its hooks, renews, withdraws, and refuses players of streams that do not exist")
    func hooks() throws {
        let (values, output) = try run("hooks")
        #expect(values["nothing"] == "0", "\(output)")
        #expect(values["absent"] == "1", "\(output)")
        #expect(values["requests"] == "1", "\(output)")
        #expect(values["renewed"] == "1", "\(output)")
        #expect(number(values["one"]) >= Self.somePictures, "\(output)")
        #expect(values["outputsLeft"] == "0", "\(output)")
        #expect(values["withdrawn"] == "1", "\(output)")
    }

    @Test("VLC and ffmpeg join the group over IPv4 and IPv6, and get every picture; destinations elsewhere are refused")
    func join() throws {
        let (values, output) = try run("join")
        for receiver in ["vlc", "four", "six", "unicast"] {
            #expect(number(values[receiver]) >= Self.somePictures, "\(receiver): \(output)")
        }
        for receiver in ["four", "six", "unicast"] { #expect(values[receiver + "Corrupt"] == "0", "\(output)") }
        #expect(values["six"] != nil && values["missing"] == "0" && values["failures"] == "0", "\(output)")
        #expect((1_000...1_316).contains(number(values["datagramBytes"])), "\(output)")
        #expect(values["group"] == "403" && values["host"] == "403" && values["broadcast"] == "403", "\(output)")
        #expect(values["refusedTargets"] == "3", "\(output)")
        #expect(values["line"]?.contains("sends live/news to udp://@") ?? false, "\(output)")
        #expect(values["metrics"] == "3", "\(output)")
    }

    @Test("reflector request prints the address, renews, withdraws at SIGTERM; killed, it ends its command and expires")
    func request() throws {
        let (values, output) = try run("request")
        #expect(values["printed"] == values["address"], "\(output)")
        #expect(values["held"] == "1" && values["code"] == "0" && values["afterTerm"] == "0", "\(output)")
        #expect(values["recording"] == "yes" && values["childLeft"] == "0", "\(output)")
        #expect(values["afterKill"] == "1" && values["afterExpiry"] == "0", "\(output)")
        #expect(values["refused"] == "1 1", "\(output)")
        #expect(values["commandCode"] == "7", "\(output)")
    }
}
