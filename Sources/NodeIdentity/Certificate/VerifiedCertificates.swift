/// Certificates whose operator's signature was verified before, so that a peer that comes again costs one signature less.
/// It knows them by the digest of all their bytes. Time, zone and revocation are checked every time.
///
/// Bounded: when the newer half is full it becomes the older one, whose entries are forgotten. So an operator's nodes
/// are all remembered as long as there are fewer than `halfMax`; only valid certificates get in, so nobody else can fill
/// it.
public struct VerifiedCertificates: Sendable {
    /// Most certificates in each of the two halves.
    public static let halfMax = 4_096

    private var newer: Set<Digest> = []
    private var older: Set<Digest> = []

    public init() {}

    func contains(_ digest: Digest) -> Bool { newer.contains(digest) || older.contains(digest) }

    mutating func insert(_ digest: Digest) {
        if newer.count >= Self.halfMax {
            older = newer
            newer = []
        }
        newer.insert(digest)
    }
}
