/// Overrides kept across restarts, in one file of the state directory; never among the zone files.
struct OverrideStore {
    /// Maximum size in bytes of a file that is read.
    private static let lengthMax = 1 << 20

    let directory: String
    private var file: StateFile { StateFile(path: "\(directory)/overrides") }

    /// The stored overrides. Lines that can't be read are left out: an override must not prevent a name server from
    /// starting.
    func load() -> Overrides { Overrides(lines: (file.text(lengthMax: Self.lengthMax) ?? "").split(separator: "\n")) }

    func save(_ entries: Overrides) throws(SerialStore.Failure) {
        try file.replace(entries.lines.map { $0 + "\n" }.joined())
    }
}
