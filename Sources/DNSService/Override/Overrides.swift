/// The overrides that operators have set, of both kinds, each in order of arrival.
struct Overrides: Sendable, Equatable {
    /// Of hosts and sites.
    var hosts: [HostOverride] = []
    /// Of streams' candidate entrypoints.
    var entrypoints: [EntrypointOverride] = []

    var count: Int { hosts.count + entrypoints.count }

    /// One line for each override, without line ends.
    var lines: [String] { hosts.map(\.line) + entrypoints.map(\.line) }

    init(hosts: [HostOverride] = [], entrypoints: [EntrypointOverride] = []) {
        self.hosts = hosts
        self.entrypoints = entrypoints
    }

    /// Reads `lines`. Those in no known format are left out.
    init(lines: [Substring]) {
        hosts = lines.compactMap { HostOverride(line: $0) }
        entrypoints = lines.compactMap { EntrypointOverride(line: $0) }
    }
}
