import ArgumentParser
import DatagramIO
import DNSAnswers
import Foundation
import IdentityKeys
import LocalNetwork
import NodeIdentity
import ReflectorModel
import SecretFiles

/// `reflector keys sign`: certificates, from requests and the zone's files. Needs no network.
struct KeysSign: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign",
        abstract: "On the operator's machine: sign requests, each as what the zone's files say about the host.",
        discussion: """
            A host of a setregion line becomes a set reflector of that set region, one of a region line (hosts=) an edge of \
            that region, one of a stream line (entrypoints=) an entrypoint, one of an NS record a name-server. A host that \
            the files do not list, or with several roles, needs --role (an edge also --region).

            Writes OUT/NAME.certificate for each, and notes it in `issued` of the operator's folder. Signs all or none. \
            Works offline. Renewing is signing the same key again; the old certificate stays valid until its end.

            Example:
              reflector keys sign edge-bos.request nyc-1.request \\
                  --operator operator --zones zones --out signed

            Exit status: 0 signed, 1 not, 2 wrong usage.
            """)

    @Argument(help: "Files with requests, one or more lines each; - is standard input.")
    var requests: [String]

    @OptionGroup var place: OperatorPlace

    @Option(help: "How many days the certificates are valid, 1 to 3650.")
    var days = 90

    @Option(help: ArgumentHelp("Folder for the certificates.", valueName: "dir"))
    var out = "."

    @Option(help: "entrypoint, set, edge, observer or name-server.", transform: Self.role)
    var role: CertifiedRole?

    @Option(help: "Region of an edge (1283 or r1283), or name of a set region.")
    var region: String?

    @Flag(help: "Sign although another key of the name has a valid certificate, as after a new installation.")
    var replace = false

    func validate() throws {
        guard (1...3_650).contains(days) else { throw ValidationError("--days takes 1 to 3650, not \(days)") }
        if region != nil, requests.count > 1 { throw ValidationError("--region is for one request") }
    }

    func run() throws {
        ProcessMemory.forbidDumps()
        let content = try place.content()
        try KeysReport.checked {
            var folder = try OperatorFolder(admin: place.operatorFolder)
            let orders = try orders(ZonePlaces(content))
            let now = WallClock.certificateSeconds
            let certificates = try folder.sign(
                orders, zone: content.zone, now: now, seconds: UInt64(days) * 86_400, replacing: replace)
            try? FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
            for certificate in certificates {
                let content = certificate.content
                let path = "\(out)/\(content.name).certificate"
                try CertificateFile.write(certificate, issuer: folder.name, to: path)
                print(
                    "\(path): \(content.roleText), \(content.validityText(at: now)), serial \(content.serial)")
            }
        }
    }

    private func orders(_ places: ZonePlaces) throws -> [OperatorFolder.Order] {
        var problems: [IdentityFileError.Problem] = []
        var orders: [OperatorFolder.Order] = []
        for path in requests {
            do {
                for request in try Self.load(path) {
                    let place = try self.place(of: request.name, places)
                    orders.append(.init(request, role: place.role, region: place.region))
                }
            } catch let error as IdentityFileError {
                problems += error.problems
            }
        }
        guard problems.isEmpty else { throw IdentityFileError(problems: problems) }
        return orders
    }

    private static func load(_ path: String) throws -> [NodeRequest] {
        guard path == "-" else { return try RequestFile.load(path) }
        let bytes = try FileHandle.standardInput.read(upToCount: RequestFile.bytesMax) ?? Data()
        return try RequestFile.parse(Array(bytes), path: "standard input")
    }

    /// What the certificate says about a host: what the zone says, and the options.
    func place(of name: String, _ places: ZonePlaces) throws(IdentityFileError) -> ZonePlaces.Place {
        let known = places.places(of: name)
        let matching = known.filter { (role ?? $0.role) == $0.role && (region == nil || isRegion($0)) }
        if matching.count == 1 { return matching[0] }
        let listed = known.map(\.description).joined(separator: ", and ")
        if matching.count > 1 {
            throw IdentityFileError(name, "\(places.zone) has it as \(listed); choose with --role (and --region)")
        }
        guard known.isEmpty else {
            throw IdentityFileError(
                name, "\(places.zone) has it as \(listed), not as the options say; correct the options or the zone")
        }
        guard let role else {
            throw IdentityFileError(
                name, "no line of \(places.zone) names it; correct the name or the zone, or give --role (and --region)")
        }
        guard let region = CertifiedRegion(Self.label(region, role), of: role) else {
            throw IdentityFileError(name, "an edge needs --region with the number of its region, and other roles none")
        }
        return .init(role: role, region: region)
    }

    private func isRegion(_ place: ZonePlaces.Place) -> Bool {
        CertifiedRegion(Self.label(region, place.role), of: place.role) == place.region
    }

    /// `1283` is written `r1283`.
    private static func label(_ region: String?, _ role: CertifiedRole) -> String {
        guard let region else { return role == .edge ? "" : "-" }
        return role == .edge && UInt32(region) != nil ? "r\(region)" : region
    }

    private static func role(_ text: String) throws -> CertifiedRole {
        guard let role = CertifiedRole.allCases.first(where: { $0.description == text }) else {
            throw ValidationError("--role: '\(text)' is not entrypoint, set, edge, observer or name-server")
        }
        return role
    }
}

/// The operator's folder and the zone for which he acts.
struct OperatorPlace: ParsableArguments {
    @Option(name: .customLong("operator"), help: ArgumentHelp("The operator's folder.", valueName: "dir"))
    var operatorFolder = "operator"

    @Option(help: ArgumentHelp("Folder of the zone files.", valueName: "dir"))
    var zones = "zones"

    @Option(help: "The zone, if the folder has several.")
    var zone: String?

    /// The zone's content. Ends the command if the files have errors.
    func content() throws -> ZoneContent {
        let contents = try ZoneFolder.contents(zones).filter { zone == nil || $0.zone == zone?.lowercased() }
        guard contents.count == 1, let content = contents.first else {
            throw ValidationError("\(zones) holds \(contents.count) matching zones; choose one with --zone")
        }
        return content
    }
}
