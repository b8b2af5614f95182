import NodeIdentity

/// What to tell an operator about the life of a certificate, each once: 7 days, 1 day and 1 hour before its end, at its
/// end, and while the clock says that it is not valid yet.
public struct ExpiryNotices: Sendable {
    public enum Notice: Sendable, Hashable {
        case expiresSoon(ExpiryWarning)
        case expired
        case notYetValid
    }

    private var told: (serial: UInt64, notice: Notice)?

    public init() {}

    /// The notice that is due. Nil if it was given before for this certificate, or if there is none.
    /// - Parameter now: in seconds since 1970.
    public mutating func due(_ content: CertificateContent, at now: UInt64) -> Notice? {
        let notice: Notice
        if now < content.notBefore {
            notice = .notYetValid
        } else if now >= content.notAfter {
            notice = .expired
        } else if let warning = ExpiryWarning.current(notAfter: content.notAfter, at: now) {
            notice = .expiresSoon(warning)
        } else {
            return nil
        }
        if let told, told.serial == content.serial, told.notice == notice { return nil }
        told = (content.serial, notice)
        return notice
    }
}
