import ArgumentParser
import DNSService
import ReflectorModel

/// `reflector zone serial DIR`.
struct ZoneSerialCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serial",
        abstract: "Show the serials that a name server keeps, and raise them above those of its secondaries.",
        discussion: """
            Secondaries transfer a zone only if its serial is higher than theirs (RFC 1982). A name server queries its \
            secondaries when it starts, so that its serial does not fall below theirs. If they do not answer, the \
            serial may be too low, and they ignore the zone. --raise requests a higher serial from the server with \
            state directory DIR. The server raises it within seconds, or when it starts. Without a state directory, \
            write a higher serial into the SOA of the .zone file.

            Exit status: 0 done, 1 no serial is kept or it can't be raised above the given value, 2 wrong usage.

            Examples:
              reflector zone serial /var/lib/reflector-ns
              dig +short @192.0.2.2 reflector.net SOA    # what a secondary has
              reflector zone serial /var/lib/reflector-ns --raise --above 1795751853
            """)

    @Argument(help: "The name server's state directory (--state).")
    var directory: String

    @Option(help: ArgumentHelp("The zone, if several are kept.", valueName: "name"))
    var zone: String?

    @Flag(help: "Request a higher serial.")
    var raise = false

    @Option(help: ArgumentHelp("The value that the serial must exceed. Default: the kept serial.", valueName: "serial"))
    var above: UInt32?

    func validate() throws {
        if above != nil, !raise { throw ValidationError("--above goes with --raise") }
    }

    func run() async throws {
        let store = SerialStore(directory: directory)
        let zones = zone.map { [$0.lowercased()] } ?? store.zones
        guard !zones.isEmpty else {
            StandardError.print("reflector: \(directory): no serial is kept here; give the --state of a name server")
            throw ExitCode(1)
        }
        guard raise else {
            for zone in zones { print("\(zone) \(text(store.load(zone: zone)))") }
            return
        }
        guard zones.count == 1, let zone = zones.first else {
            throw ValidationError("choose one zone with --zone: \(zones.joined(separator: ", "))")
        }
        var kept: UInt32?
        if case .entry(let entry) = store.load(zone: zone) { kept = entry.serial }
        guard let above = above ?? kept else {
            StandardError.print("reflector: no serial of \(zone) is kept; give the value to exceed with --above")
            throw ExitCode(1)
        }
        if let kept, above != kept, !ZoneSerial.isAfter(above, kept) {
            StandardError.print(
                "reflector: \(above) is not above \(kept) in serial arithmetic (RFC 1982); raise it to "
                    + "\(kept &+ 0x7fff_ffff) first, wait until the secondaries have it, then raise it again")
            throw ExitCode(1)
        }
        do {
            try store.askForRaise(above: above, zone: zone)
        } catch {
            StandardError.print("reflector: \(error)")
            throw ExitCode(1)
        }
        print("\(zone): the name server uses a serial above \(above) within seconds, or when it starts")
    }

    private func text(_ kept: SerialStore.Kept) -> String {
        switch kept {
        case .entry(let entry): "\(entry.serial)"
        case .absent: "none kept"
        case .damaged(let why): "damaged: \(why)"
        }
    }
}
