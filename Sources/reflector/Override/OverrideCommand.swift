import ArgumentParser
import DNSService

/// `reflector override …`: temporary decisions of an operator, in addition to the files.
struct OverrideCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "override",
        abstract: "Remove set reflectors or entrypoints from the answers, or prefer them, for a limited time.",
        discussion: """
            An override goes to every name server of the zone and takes effect within a second. The servers keep it in \
            their --state beside the zone files (never in them), and it expires. A SITE means all hosts of the set \
            regions with that site=; an override of a host takes precedence over one of its site.

              drain   answered only if no other host is left
              depool  never answered
              pin     answered with full weight, whatever the probes say

            A set region whose hosts are all drained is left out if every map line that names it has another parent in \
            service. A depool is refused if cells of the map would have no parent left, unless --force is given.

            Of a stream's candidate entrypoints (entrypoints= of its line), the first that can leads the stream:

              pin-entrypoint  this one comes first
              bar-entrypoint  this one is left out

            Requests are signed with the key in your operator folder. A name server accepts those of operators whose \
            role in its `operators` file is override or admin, and shows their name with the override. It signs its \
            answer, so you know that the right server gave it.
            Exit status: 0 every server accepted it, 1 some did not, 2 wrong usage.

            Examples:
              reflector override drain nyc-1 --for 1h --why 'new kernel' \\
                  --operator operator
              reflector override depool us-east --for 2h --why 'flood' \\
                  --operator operator --server 192.0.2.1:4980
              reflector override pin-entrypoint live/news ep-nyc --for 2h \\
                  --why 'uplink of ep-bos' --operator operator
            """,
        subcommands: [
            Drain.self, Depool.self, Pin.self, Clear.self, PinEntrypoint.self, BarEntrypoint.self,
            ClearEntrypoint.self, List.self,
        ])

    struct Drain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Answer a host or site only if no other host is left.")
        @OptionGroup var subject: OverrideSubject
        @OptionGroup var term: OverrideTerm
        func run() async throws { try await subject.send(.drain, term) }
    }

    struct Depool: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Never answer a host or site.")
        @OptionGroup var subject: OverrideSubject
        @OptionGroup var term: OverrideTerm
        @Flag(help: "Even if cells of the map would have no parent left.")
        var force = false
        func run() async throws { try await subject.send(.depool, term, isForced: force) }
    }

    struct Pin: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Answer a host or site with full weight, whatever the probes say.")
        @OptionGroup var subject: OverrideSubject
        @OptionGroup var term: OverrideTerm
        func run() async throws { try await subject.send(.pin, term) }
    }

    struct Clear: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "End the override of a host or site now.")
        @OptionGroup var subject: OverrideSubject
        func run() async throws { try await subject.send(.clear, nil) }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the overrides in force at each name server.")
        @OptionGroup var servers: OverrideServers
        @Flag(help: "JSON on standard output, for programs.")
        var json = false

        func run() async throws { try await servers.list(json: json) }
    }
}

/// The duration and the reason.
struct OverrideTerm: ParsableArguments {
    @Option(name: .customLong("for"), help: "How long it lasts, at most 30d: a number with s, m, h or d.")
    var span: String

    @Option(help: "The reason, shown by explain and list: at most 100 characters.")
    var why: String

    func seconds() throws -> Int64 {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
        guard let unit = span.last.flatMap({ units[$0] }), let number = Int64(span.dropLast()), number > 0,
            case (let seconds, false) = number.multipliedReportingOverflow(by: unit), seconds <= 30 * 86_400
        else { throw ValidationError("--for: '\(span)' is not a time up to 30d, e.g. 30s, 10m, 1h or 2d") }
        return seconds
    }
}
