import ArgumentParser
import DatagramIO
import Glibc
import IdentityKeys
import NodeIdentity
import ReflectorModel
import SecretFiles

/// `reflector keys revoke`: the next revocation list of a zone.
struct KeysRevoke: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "On the operator's machine: shut nodes out, whose keys were stolen or are not used any more.",
        discussion: """
            Signs the zone's next list of revoked certificates and writes it to ZONES/ZONE.revocations, beside the zone's \
            files. Name servers serve it like them; every node ends its links with the node within 5 s. Certificates that \
            have expired leave the list.

            With --resign and no names it signs the list again, after the operator's key was rolled.

            Examples:
              reflector keys revoke edge-bos --operator operator --zones zones \\
                  --why 'disk stolen'
              reflector keys revoke --serial 178649164677121 --why 'old key'

            Exit status: 0 written, 1 not, 2 wrong usage.
            """)

    @Argument(help: "Nodes, all of whose certificates are revoked.")
    var names: [String] = []

    @Option(help: "A certificate by its serial; repeatable.")
    var serial: [UInt64] = []

    @OptionGroup var place: OperatorPlace

    @Option(help: "Why, for the comments in the list and in `issued`.")
    var why: String?

    @Flag(help: "Sign the list again without revoking anything.")
    var resign = false

    func validate() throws {
        guard resign != (!names.isEmpty || !serial.isEmpty) else {
            throw ValidationError("name the nodes to revoke (or --serial), or give --resign without them")
        }
        guard resign || why != nil else { throw ValidationError("--why: say why, for those who read it in a year") }
    }

    func run() throws {
        ProcessMemory.forbidDumps()
        let zone = try place.content().zone
        let path = RevocationFile.path(zones: place.zones, zone: zone)
        try KeysReport.checked {
            var folder = try OperatorFolder(admin: place.operatorFolder)
            let current = access(path, F_OK) == 0 ? try RevocationFile.load(path, zone: zone) : nil
            let known = Set(current?.content.serials ?? [])
            let list = try folder.revoke(
                names.map { .name($0.lowercased()) } + serial.map { .serial($0) }, zone: zone, why: why ?? "",
                now: WallClock.certificateSeconds, current: current)
            let reasons = folder.reasons(zone: zone)
            try RevocationFile.write(list, issuer: folder.name, reasons: reasons, to: path)
            for serial in list.content.serials where !known.contains(serial) {
                print("revoked serial \(serial): \(reasons[serial] ?? "")")
            }
            StandardError.print(
                "wrote \(path): list \(list.content.sequence) of \(zone), \(list.content.serials.count) revoked; copy it "
                    + "to the zones folder of the name servers if this is not it")
        }
    }
}
