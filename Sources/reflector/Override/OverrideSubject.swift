import ArgumentParser
import DNSService

/// The host or site that an override is about.
struct OverrideSubject: ParsableArguments {
    @Argument(help: ArgumentHelp("A host of a set region, e.g. nyc-1, or a site.", valueName: "host-or-site"))
    var subject: String

    @OptionGroup var sender: OverrideSender

    func send(_ action: OverrideRequest.Action, _ term: OverrideTerm?, isForced: Bool = false) async throws {
        try await sender.send(action, subject, term, isForced: isForced)
    }
}

/// The candidate of a stream that an override is about.
struct OverrideCandidate: ParsableArguments {
    @Argument(
        help: ArgumentHelp(
            "A stream, e.g. live/news, or a pattern as its line in the .streams file has it, e.g. 'live/*'.",
            valueName: "stream"))
    var stream: String

    @Argument(help: ArgumentHelp("One of its entrypoints=, e.g. ep-nyc.", valueName: "entrypoint"))
    var host: String

    @OptionGroup var sender: OverrideSender

    func send(_ action: OverrideRequest.Action, _ term: OverrideTerm, isForced: Bool = false) async throws {
        try await sender.send(action, stream, host: host, term, isForced: isForced)
    }
}
