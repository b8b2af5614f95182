/// Overrides kept across restarts, in one file of the state directory; never among the zone files.
struct OverrideStore {
    /// Maximum size in bytes of a file that is read.
    private static let lengthMax = 1 << 20

    let directory: String
    private var file: StateFile { StateFile(path: "\(directory)/overrides") }

    /// The stored overrides. Lines that can't be read are left out: an override must not prevent a name server from
    /// starting.
    func load() -> [HostOverride] {
        (file.text(lengthMax: Self.lengthMax) ?? "").split(separator: "\n").compactMap { HostOverride(line: $0) }
    }

    func save(_ entries: [HostOverride]) throws(SerialStore.Failure) {
        try file.replace(entries.map { $0.line + "\n" }.joined())
    }
}
