import DNSTestClient
import Foundation

/// Another name server, run for one test with settings like ours: minimal responses, answers of at most 1,232 bytes, no
/// rate limit, the same identity.
final class PeerServer {
    /// What NSID, `id.server` and `hostname.bind` say.
    static let identity = "test"

    let name: String
    let client: DNSTestClient
    let address: String
    let port: UInt16
    private let process = Process()

    /// A zone as a master file.
    struct Zone {
        var name: String
        var text: String
    }

    static func nsd(_ zones: [Zone], directory: URL, address: String, port: UInt16) throws -> PeerServer {
        let text = """
            server:
              ip-address: \(address)@\(port)
              username: ""
              chroot: ""
              zonesdir: "\(directory.path)"
              pidfile: ""
              database: ""
              zonelistfile: "\(directory.path)/zone.list"
              xfrdfile: "\(directory.path)/xfrd.state"
              xfrdir: "\(directory.path)"
              server-count: 1
              rrl-ratelimit: 0
              rrl-whitelist-ratelimit: 0
              reuseport: no
              minimal-responses: yes
              refuse-any: yes
              ipv4-edns-size: 1232
              nsid: ascii_\(identity)
              identity: \(identity)
              version: reflector
              tcp-timeout: 5
            remote-control:
              control-enable: no

            """
        return try PeerServer(
            "NSD", ["nsd", "-d", "-c"], text,
            zones.map { "zone:\n  name: \($0.name)\n  zonefile: \(directory.path)/\($0.name).db\n" }.joined(), zones,
            directory, address, port)
    }

    static func knot(_ zones: [Zone], directory: URL, address: String, port: UInt16) throws -> PeerServer {
        let text = """
            server:
                rundir: "\(directory.path)"
                listen: \(address)@\(port)
                nsid: "\(identity)"
                identity: "\(identity)"
                version: "reflector"
                udp-workers: 1
                tcp-workers: 1
                background-workers: 1
                udp-max-payload: 1232
                edns-client-subnet: on
            database:
                storage: "\(directory.path)/knot"
            template:
              - id: default
                storage: "\(directory.path)"
                zonefile-load: whole
                zonefile-sync: -1
                journal-content: none
                semantic-checks: off

            """
        return try PeerServer(
            "Knot", ["knotd", "-c"], text,
            "zone:\n" + zones.map { "  - domain: \($0.name)\n    file: \"\($0.name).db\"\n" }.joined(), zones,
            directory, address, port)
    }

    private init(
        _ name: String, _ command: [String], _ server: String, _ clauses: String, _ zones: [Zone], _ directory: URL,
        _ address: String, _ port: UInt16
    ) throws {
        self.name = name
        self.address = address
        self.port = port
        for zone in zones { try Data(zone.text.utf8).write(to: directory.appendingPathComponent("\(zone.name).db")) }
        let configuration = directory.appendingPathComponent("\(name).conf")
        try Data((server + clauses).utf8).write(to: configuration)
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.environment = ["PATH": "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"]
        // Threads of a test runner block signals, and programs inherit that: this one is to hear SIGTERM.
        process.arguments = ["--default-signal"] + command + [configuration.path]
        let log = directory.appendingPathComponent("\(name).log")
        try Data().write(to: log)
        let output = try FileHandle(forWritingTo: log)
        process.standardOutput = output
        process.standardError = output
        try process.run()
        client = DNSTestClient(address, port: port)
        for _ in 0..<100 {
            guard process.isRunning else { break }
            if zones.allSatisfy({ (try? client.ask($0.name, 6))?.rcode == 0 }) { return }
            usleep(50_000)
        }
        stop()
        let said = (try? String(contentsOf: log, encoding: .utf8)) ?? ""
        throw DNSTestClient.Failure(why: "\(name) does not answer: \(said.suffix(2_000))")
    }

    func stop() {
        guard process.isRunning else { return }
        process.terminate()
        // `waitUntilExit` needs a run loop, which a concurrency thread has not.
        for _ in 0..<250 where process.isRunning { usleep(20_000) }
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }
}
