/// Everything that a name server answers from at one time: the zones of a generation, and its own status. Immutable and
/// shared by all loops; each new generation gets a new engine.
public final class AnswerEngine: Sendable {
    /// The server's identity (NSID, CHAOS names).
    public struct Identity: Sendable, Equatable {
        /// NSID, `id.server` and `hostname.bind`; truncated to 64 bytes.
        public var server: String
        /// `version.bind`.
        public var version: String
        public init(server: String, version: String) {
            self.server = server
            self.version = version
        }
    }

    /// `_status` lists at most this many problems of a refused generation, and at most this many notes.
    public static let problemsMax = 16
    /// Largest reply sent over UDP, even if the client accepts more: this size crosses the Internet unfragmented (DNS
    /// Flag Day 2020).
    public static let udpSizeMax = 1_232

    public let zones: [ZoneImage]
    let views: FlatArray<ZoneView>
    private let table: NameTable
    private let labelCounts: [Int]
    let identity: FlatArray<UInt8>
    let version: FlatArray<UInt8>
    /// TXT strings of `_status`, without the age.
    let status: FlatArray<UInt8>
    /// When we began to serve this generation, in Unix seconds.
    let servedSince: Int64

    /// - Parameters:
    ///   - zones: distinct zones; a query is answered from the zone with the longest name that contains the query name.
    ///   - problems: why the newest generation of the files was refused; empty if that generation is being served.
    ///   - notes: further strings of `_status`: probing, overrides.
    ///   - servedSince: when we began to serve the zones, in Unix seconds.
    public init(
        zones: [ZoneImage], identity: Identity, problems: [String] = [], notes: [String] = [], servedSince: Int64
    ) {
        self.zones = zones
        views = FlatArray(zones.map(\.view))
        table = NameTable(zones.map(\.zoneName))
        labelCounts = zones.map { WireName.labelOffsets($0.zoneName)?.count ?? 0 }
        self.identity = FlatArray(Array(identity.server.utf8.prefix(64)))
        version = FlatArray(Array(identity.version.utf8.prefix(255)))
        let state = problems.isEmpty ? ["state=serving"] : ["state=refused", "problems=\(problems.count)"]
        let more = problems.prefix(Self.problemsMax) + notes.prefix(Self.problemsMax)
        status = FlatArray(ZoneImageBuilder.textData(state + more))
        self.servedSince = servedSince
    }

    var zoneTable: ZoneTableView { ZoneTableView(table.view, labelCounts: labelCounts) }
}
