import Foundation
import LDNSKit

/// A real resolver that queries one authoritative server for one zone, for one test.
public final class Resolver {
    public enum Make: String, CaseIterable, Sendable {
        case unbound
        case bind
        case powerdns

        /// Path of the program if it is installed.
        public var program: String? {
            let name = ["unbound": "unbound", "bind": "named", "powerdns": "pdns_recursor"][rawValue] ?? rawValue
            return ["/usr/sbin/", "/usr/local/sbin/", "/usr/bin/"].map { $0 + name }
                .first { FileManager.default.isExecutableFile(atPath: $0) }
        }
    }

    public let make: Make
    public let client: DNSTestClient
    private let process: PeerProcess
    private let log: String

    /// - Parameters:
    ///   - server: address and port of the authoritative server.
    ///   - address, port: where the resolver listens.
    public init(
        _ make: Make, zone: String, server: (address: String, port: UInt16), address: String, port: UInt16,
        directory: URL
    ) throws {
        self.make = make
        guard let program = make.program else { throw DNSTestClient.Failure(why: "no \(make) on this machine") }
        let folder = directory.appendingPathComponent("\(make)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        log = folder + "/log"
        let command: [String]
        var name = "configuration"
        let text: String
        switch make {
        case .unbound:
            text = """
                server:
                  interface: \(address)@\(port)
                  access-control: 127.0.0.0/8 allow
                  do-daemonize: no
                  username: ""
                  chroot: ""
                  directory: "\(folder)"
                  pidfile: ""
                  use-syslog: no
                  module-config: "iterator"
                  do-not-query-localhost: no
                remote-control:
                  control-enable: no
                stub-zone:
                  name: "\(zone)"
                  stub-addr: \(server.address)@\(server.port)

                """
            command = [program, "-d", "-c", folder + "/configuration"]
        case .bind:
            text = """
                options {
                  directory "\(folder)";
                  pid-file none;
                  session-keyfile "\(folder)/session.key";
                  listen-on port \(port) { \(address); };
                  listen-on-v6 { none; };
                  recursion yes;
                  allow-recursion { 127.0.0.0/8; };
                  dnssec-validation no;
                  empty-zones-enable no;
                };
                controls { };
                zone "\(zone)" {
                  type forward;
                  forward only;
                  forwarders { \(server.address) port \(server.port); };
                };

                """
            command = [program, "-g", "-n", "1", "-c", folder + "/configuration"]
        case .powerdns:
            name = "recursor.conf"
            text = """
                local-address=\(address)
                local-port=\(port)
                forward-zones=\(zone)=\(server.address):\(server.port)
                socket-dir=\(folder)
                daemon=no
                dnssec=off
                threads=1
                disable-syslog=yes
                hint-file=no
                dont-query=
                packetcache-servfail-ttl=0

                """
            command = [program, "--config-dir=\(folder)"]
        }
        try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
        process = try PeerProcess(command, log: log)
        client = DNSTestClient(address, port: port)
    }

    /// Queries like a stub resolver, with recursion desired: otherwise resolvers answer only from their caches, or not
    /// at all.
    public func ask(_ name: String, _ type: UInt16 = 1) throws -> LDNSMessage {
        var query = try LDNSMessage.query(id: UInt16.random(in: 0...UInt16.max), name: name, type: type)
        query[2] |= 1
        for _ in 0..<3 {
            let reply = try client.exchange(query, datagram: true)
            if !reply.isEmpty { return try LDNSMessage.parse(reply) }
        }
        throw DNSTestClient.Failure(why: "\(make): no answer to \(name)")
    }

    /// Its log output.
    public var report: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

    public func stop() { process.stop() }
}
