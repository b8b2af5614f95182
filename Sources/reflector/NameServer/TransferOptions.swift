import ArgumentParser
import DNSService
import ReflectorModel
import TransactionSigning
import ZoneCompiler

/// Options of `reflector nameserver` about zone transfers. By default nobody may transfer a zone and no secondary is
/// notified.
struct TransferOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Who may transfer zones by AXFR and IXFR, repeatable; with a key, requests must be signed with it.",
            valueName: "cidr[,key=name]"),
        transform: Self.rule)
    var transferTo: [TransferPolicy.Rule] = []

    @Option(
        help: ArgumentHelp(
            "A secondary that gets a NOTIFY for new serials, repeatable; with a key, it is signed. It comes from an "
                + "address of --listen that can reach it; from= names another.",
            valueName: "addr[:port][,key=name][,from=addr]"),
        transform: Self.target)
    var notify: [NotifyTarget] = []

    @Option(
        help: ArgumentHelp(
            """
            File of TSIG keys, mode 0600: lines of name, algorithm (hmac-sha256, -384, -512) and base64 secret, or in \
            the format of tsig-keygen. `reflector keys tsig` makes one.
            """, valueName: "file"))
    var tsigKeys: String?

    @Option(
        help: ArgumentHelp("Most records of a zone that is transferred; larger ones are refused.", valueName: "n"))
    var maxRecords: Int = AliasedZone.recordsMax

    func validate() throws {
        guard (1...100_000_000).contains(maxRecords) else {
            throw ValidationError("--max-records takes 1 to 100000000, not \(maxRecords)")
        }
    }

    /// The keys of the file, nil if none is given.
    /// - Throws: for a file of keys that can't be used, or a key that is not in it.
    func keys() throws -> TSIGKeyring? {
        let keys = try tsigKeys.map { try TSIGKeyFile.load($0) }
        for name in transferTo.compactMap(\.key) + notify.compactMap(\.key) where keys?[name] == nil {
            throw ValidationError("key '\(name)' is not in the file of keys (--tsig-keys)")
        }
        return keys
    }

    /// - Throws: for a file of keys that can't be used, or a key that is not in it.
    func apply(to configuration: NameServer.Configuration) throws -> NameServer.Configuration {
        var result = configuration
        result.transfers = TransferPolicy(rules: transferTo, keys: try keys() ?? TSIGKeyring())
        result.notify = notify
        result.transferRecordsMax = maxRecords
        return result
    }

    private static func rule(_ text: String) throws -> TransferPolicy.Rule {
        guard let rule = TransferPolicy.Rule(text) else {
            throw ValidationError("'\(text)' is not an address or prefix with optional key, e.g. 192.0.2.0/24,key=NAME")
        }
        return rule
    }

    private static func target(_ text: String) throws -> NotifyTarget {
        guard let target = NotifyTarget(text) else {
            throw ValidationError(
                "'\(text)' is not an address with optional port, key and source, e.g. 192.0.2.1:53,key=NAME,from=192.0.2.9"
            )
        }
        return target
    }
}
