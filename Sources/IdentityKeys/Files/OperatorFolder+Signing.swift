import NodeIdentity
import ReflectorModel

/// Certificates and revocation lists that an admin signs.
extension OperatorFolder {
    /// How far back certificates are valid, so that a node whose clock is slow can use them at once.
    public static let clockTolerance: UInt64 = 3_600

    /// What to certify about the sender of a request.
    public struct Order: Sendable, Hashable {
        public var request: NodeRequest
        public var role: CertifiedRole
        public var region: CertifiedRegion
        public var limits = NodeLimits()

        public init(_ request: NodeRequest, role: CertifiedRole, region: CertifiedRegion) {
            self.request = request
            self.role = role
            self.region = region
        }
    }

    /// Signs certificates of one zone, and notes them in `issued` before it returns them. Signs all or none.
    /// - Parameters:
    ///   - now: in seconds since 1970.
    ///   - seconds: how long they are valid.
    ///   - replacing: certify a name although another key of that name has a valid certificate.
    public mutating func sign(
        _ orders: [Order], zone: String, now: UInt64, seconds: UInt64, replacing: Bool = false
    ) throws(IdentityFileError) -> [NodeCertificate] {
        var problems: [IdentityFileError.Problem] = []
        var certificates: [NodeCertificate] = []
        var names = Set<String>()
        var issued = issued
        for order in orders {
            let request = order.request
            let others = issued.live(name: request.name, zone: zone, at: now).filter { $0.key != request.publicKey }
            if !names.insert(request.name).inserted {
                problems.append(.init(path: request.name, text: "two requests of this name; sign one of them"))
            } else if !request.isProven(LibcryptoIdentityCrypto()) {
                problems.append(.init(path: request.name, text: "the request is not signed by its key"))
            } else if let other = others.last, !replacing {
                problems.append(
                    .init(
                        path: request.name,
                        text: "another key of \(request.name) has certificate \(other.serial), valid until "
                            + "\(UTCTime.text(Int64(other.notAfter))); revoke it (`keys revoke \(request.name)`), or "
                            + "give --replace if the old key will not be used any more"))
            } else {
                do throws(IdentityFileError) {
                    let certificate = try sign(order, zone: zone, now: now, seconds: seconds, serials: issued)
                    certificates.append(certificate)
                    issued.add(certificate.content)
                } catch {
                    problems += error.problems
                }
            }
        }
        guard problems.isEmpty else { throw IdentityFileError(problems: problems) }
        try keep(issued)
        return certificates
    }

    private func sign(
        _ order: Order, zone: String, now: UInt64, seconds: UInt64, serials: IssuedFile
    ) throws(IdentityFileError) -> NodeCertificate {
        let name = order.request.name
        let content: CertificateContent
        do throws(IdentityFormatError) {
            content = try CertificateContent(
                issuer: id, serial: serials.nextSerial(of: id), notBefore: now - min(now, Self.clockTolerance),
                notAfter: now + seconds, role: order.role, region: order.region, zone: zone, name: name,
                limits: order.limits, publicKey: order.request.publicKey)
        } catch {
            throw IdentityFileError(name, error.remedy)
        }
        do throws(IdentityCryptoError) {
            return try NodeCertificate(signing: content, with: key, LibcryptoIdentityCrypto())
        } catch {
            throw IdentityFileError(name, "\(error)")
        }
    }
}

extension IdentityFormatError {
    /// What to do if values do not form a certificate.
    fileprivate var remedy: String {
        switch self {
        case .regionOfOtherRole: "its role and region do not go together: an edge has a region, only a set may have one"
        case .badSetRegion: "its set region has a name that no certificate can have; give it another name in the zone"
        case .badTime: "it would be valid for no time, or for too long; correct --days"
        case .badZone, .badNodeName: "its name or the zone's is no host name in lower case"
        default: "\(self)"
        }
    }
}
