import ArgumentParser
import DNSService
import ReflectorModel
import TransactionSigning
import ZoneCompiler

/// Options of `reflector nameserver` about zone transfers. By default nobody may take a zone and nobody is told of it.
struct TransferOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Who may transfer zones by AXFR and IXFR; may be given several times; with a key, only if signed with it.",
            valueName: "cidr[,key=name]"),
        transform: Self.rule)
    var transferTo: [TransferPolicy.Rule] = []

    @Option(
        help: ArgumentHelp(
            "A secondary to notify of new serials (NOTIFY); may be given several times; with a key, signed. The source is an "
                + "address of --listen that it can reach; from= names another.",
            valueName: "addr[:port][,key=name][,from=addr]"),
        transform: Self.target)
    var notify: [NotifyTarget] = []

    @Option(
        help: ArgumentHelp(
            """
            File of TSIG keys, mode 0600: lines of name, algorithm (hmac-sha256, -384, -512) and base64 secret, or as \
            tsig-keygen writes them. `reflector keys tsig` makes one.
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

    /// The keys of the file, nil where none is given.
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
            throw ValidationError("'\(text)' is no address or prefix with or without a key, as 192.0.2.0/24,key=NAME")
        }
        return rule
    }

    private static func target(_ text: String) throws -> NotifyTarget {
        guard let target = NotifyTarget(text) else {
            throw ValidationError(
                "'\(text)' is no address with or without port, key and source, as 192.0.2.1:53,key=NAME,from=192.0.2.9")
        }
        return target
    }
}
