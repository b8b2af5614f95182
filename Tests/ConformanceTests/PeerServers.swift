import DNSTestClient
import Foundation

/// Another name server, run for one test with settings like ours: minimal responses, answers of at most 1,232 bytes, no
/// rate limit, the same identity and cookies.
final class PeerServer {
    /// The answer to NSID, `id.server` and `hostname.bind`.
    static let identity = "test"
    /// With the same secret, all servers make the same server cookies (RFC 9018).
    static let cookieSecret = "e5e973e5a6b2a43f48e7dc849e37bfcf"

    let name: String
    let client: DNSTestClient
    let address: String
    let port: UInt16
    private let process: PeerProcess

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
              answer-cookie: yes
              cookie-secret: \(cookieSecret)
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
            mod-cookies:
              - id: shared
                secret: 0x\(cookieSecret)
            template:
              - id: default
                storage: "\(directory.path)"
                zonefile-load: whole
                zonefile-sync: -1
                journal-content: none
                semantic-checks: off
                global-module: mod-cookies/shared

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
        let log = directory.appendingPathComponent("\(name).log").path
        process = try PeerProcess(command + [configuration.path], log: log)
        client = DNSTestClient(address, port: port)
        for _ in 0..<100 {
            guard process.isRunning else { break }
            if zones.allSatisfy({ (try? client.ask($0.name, 6))?.rcode == 0 }) { return }
            usleep(50_000)
        }
        stop()
        let said = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
        throw DNSTestClient.Failure(why: "\(name) does not answer: \(said.suffix(2_000))")
    }

    func stop() { process.stop() }
}
