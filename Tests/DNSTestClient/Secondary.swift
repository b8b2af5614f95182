import Foundation

/// Another name server implementation that transfers a zone from ours, signed.
public final class Secondary {
    public enum Make: String, CaseIterable, Sendable {
        case nsd
        case knot
    }

    public let make: Make
    public let client: DNSTestClient
    private let process: PeerProcess
    private let log: String

    /// - Parameters:
    ///   - key: name, algorithm and base64 secret.
    public init(
        _ make: Make, zone: String, primary: String, port: UInt16, address: String, own: UInt16, directory: URL,
        key: (name: String, algorithm: String, secret: String)
    ) throws {
        self.make = make
        let folder = directory.appendingPathComponent("\(make)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        log = folder + "/log"
        let configuration = folder + "/configuration"
        let source = "\(primary)@\(port)"
        let text =
            switch make {
            case .nsd:
                """
                server:
                  ip-address: \(address)@\(own)
                  username: ""
                  chroot: ""
                  zonesdir: "\(folder)"
                  pidfile: ""
                  database: ""
                  zonelistfile: "\(folder)/zone.list"
                  xfrdfile: "\(folder)/xfrd.state"
                  xfrdir: "\(folder)"
                  server-count: 1
                  verbosity: 2
                  logfile: "\(log)"
                  rrl-ratelimit: 0
                remote-control:
                  control-enable: no
                key:
                  name: "\(key.name)"
                  algorithm: \(key.algorithm)
                  secret: "\(key.secret)"
                zone:
                  name: \(zone)
                  zonefile: zone.db
                  request-xfr: \(source) \(key.name)
                  allow-notify: \(primary) \(key.name)
                  outgoing-interface: \(address)

                """
            case .knot:
                """
                server:
                  listen: \(address)@\(own)
                  rundir: \(folder)
                log:
                  - target: \(log)
                    any: info
                control:
                  listen: \(folder)/control
                database:
                  storage: \(folder)
                key:
                  - id: \(key.name)
                    algorithm: \(key.algorithm)
                    secret: \(key.secret)
                remote:
                  - id: primary
                    address: \(source)
                    via: \(address)
                    key: \(key.name)
                acl:
                  - id: notify
                    address: \(primary)
                    key: \(key.name)
                    action: notify
                zone:
                  - domain: \(zone)
                    storage: \(folder)
                    master: primary
                    acl: notify

                """
            }
        try text.write(toFile: configuration, atomically: true, encoding: .utf8)
        process = try PeerProcess(
            make == .nsd ? ["nsd", "-d", "-c", configuration] : ["knotd", "-c", configuration],
            log: folder + "/output")
        client = DNSTestClient(address, port: own)
    }

    /// Serial of the zone that it serves; nil while it serves none.
    public func serial(of zone: String) -> UInt32? {
        guard let answer = try? client.ask(zone, 6), answer.rcode == 0, let data = answer.answers.first?.data,
            data.count > 20
        else { return nil }
        return data.suffix(20).prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// Its log output.
    public var report: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

    public func stop() { process.stop() }
}
