import NodeIdentity
import ReflectorModel

extension OperatorFolder {
    /// Which certificate to revoke.
    public enum Target: Sendable, Hashable {
        /// Every certificate of this name that is still valid.
        case name(String)
        case serial(UInt64)
    }

    /// An expired certificate stays in lists for this long, for nodes whose clock is slow.
    private static let expiredStay: UInt64 = 86_400

    /// Signs the next list of a zone: what was revoked before and has not expired, and the targets. Notes it in `issued`
    /// before it returns it. Without targets it signs the same serials again, as when the operator's key is rolled.
    /// - Parameters:
    ///   - current: the list in force; nil if there is none.
    ///   - now: in seconds since 1970.
    public mutating func revoke(
        _ targets: [Target], zone: String, why: String, now: UInt64, current: RevocationList?
    ) throws(IdentityFileError) -> RevocationList {
        if let current, !operators.authorities.accepts(current, zone: zone, LibcryptoIdentityCrypto()) {
            throw IdentityFileError(
                zone + RevocationFile.suffix,
                "signed by key \(current.content.issuer), which is no admin of \(Self.operatorsPath(path)); get the list "
                    + "that the name servers serve, or move this file away if it is not ours")
        }
        let added = try serials(of: targets, zone: zone, now: now)
        let mine = issued.revoked.filter { $0.zone == zone }
        let sequence = max(current?.content.sequence ?? 0, mine.map(\.sequence).max() ?? 0) + 1
        let expired = Set(
            issued.entries.filter { $0.zone == zone && $0.notAfter + Self.expiredStay <= now }.map(\.serial))
        let all = Set((current?.content.serials ?? []) + mine.map(\.serial) + added).subtracting(expired)
        let content: RevocationList.Content
        do throws(IdentityFormatError) {
            content = try RevocationList.Content(
                zone: zone, sequence: sequence, issuedAt: now, issuer: id, serials: all)
        } catch {
            throw IdentityFileError(
                zone + RevocationFile.suffix,
                error == .tooMany
                    ? "\(all.count) revoked certificates, and a list has at most \(CertificateLimits.revocationsMax); "
                        + "roll the operator's key instead (page \"Keys: theft, loss, rolling, expiry\")"
                    : "\(error)")
        }
        let list: RevocationList
        do throws(IdentityCryptoError) {
            list = try RevocationList(signing: content, with: key, LibcryptoIdentityCrypto())
        } catch {
            throw IdentityFileError(zone + RevocationFile.suffix, "\(error)")
        }
        var next = issued
        for serial in added { next.add(revoked: serial, zone: zone, sequence: sequence, time: now, why: why) }
        try keep(next)
        return list
    }

    /// A comment for each revoked serial of a zone: whose certificate it is, and why it was revoked.
    public func reasons(zone: String) -> [UInt64: String] {
        let names = Dictionary(
            issued.entries.filter { $0.zone == zone }.map { ($0.serial, $0.name) },
            uniquingKeysWith: { first, _ in first })
        let lines = issued.revoked.filter { $0.zone == zone }.map { line in
            (line.serial, "\(names[line.serial] ?? "?"), \(UTCTime.text(Int64(line.time))): \(line.why)")
        }
        return Dictionary(lines, uniquingKeysWith: { first, _ in first })
    }

    private func serials(of targets: [Target], zone: String, now: UInt64) throws(IdentityFileError) -> [UInt64] {
        var problems: [IdentityFileError.Problem] = []
        var serials: [UInt64] = []
        for target in targets {
            switch target {
            case .name(let name):
                let live = issued.live(name: name, zone: zone, at: now)
                if live.isEmpty {
                    problems.append(
                        .init(
                            path: name,
                            text: "no valid certificate of it in \(Self.issuedPath(path)); if another admin signed it, "
                                + "revoke it there, or give --serial (`reflector keys show` prints it)"))
                }
                serials += live.map(\.serial)
            case .serial(let serial):
                if issued.isRevoked(serial, zone: zone) {
                    problems.append(.init(path: "serial \(serial)", text: "is revoked already"))
                }
                serials.append(serial)
            }
        }
        guard problems.isEmpty else { throw IdentityFileError(problems: problems) }
        return Set(serials).sorted()
    }
}
