import ReflectorModel

/// The messages of the handshake as values; Handshake.md says what each is for. Their encoding is not part of this
/// module, but `HandshakeSizes` counts their bytes.
///
/// ```
/// child                                                        parent
///   Hello   nonce, padding                                ->
///                                                         <-   Cookie  nonce, cookie, epoch key
///   Open    nonce, cookie, child key,
///           {child's certificate, signature, payload}     ->
///                                                         <-   Opened  nonce, parent key,
///                                                                      {parent's certificate, signature, payload}
///                                                         or   Refused nonce, reason, MAC
/// ```
/// `{}` is encrypted: in Open under the secret of child key and epoch key, in Opened under that secret and the one of
/// child key and parent key.
public struct HelloMessage: Hashable, Sendable {
    public var nonce: Nonce
    public init(nonce: Nonce) { self.nonce = nonce }
}

/// What the parent needs to recognise an address again, without having kept anything.
public struct RoutabilityCookie: Hashable, Sendable {
    /// The parent's clock when it made the cookie. It also says which epoch key belongs to it.
    public var milliseconds: UInt64
    public var mac: CookieMAC
    public init(milliseconds: UInt64, mac: CookieMAC) {
        self.milliseconds = milliseconds
        self.mac = mac
    }
}

public struct CookieMessage: Hashable, Sendable {
    public var nonce: Nonce
    public var cookie: RoutabilityCookie
    /// The parent's X25519 key of this epoch, which all its children use for 10 s.
    public var epochKey: AgreementPublicKey
    public init(nonce: Nonce, cookie: RoutabilityCookie, epochKey: AgreementPublicKey) {
        self.nonce = nonce
        self.cookie = cookie
        self.epochKey = epochKey
    }
}

public struct OpenMessage: Hashable, Sendable {
    public var nonce: Nonce
    public var cookie: RoutabilityCookie
    /// The child's fresh X25519 key.
    public var childKey: AgreementPublicKey
    /// A sealed `SealedIdentity`.
    public var sealed: [UInt8]
    public init(nonce: Nonce, cookie: RoutabilityCookie, childKey: AgreementPublicKey, sealed: [UInt8]) {
        self.nonce = nonce
        self.cookie = cookie
        self.childKey = childKey
        self.sealed = sealed
    }
}

/// Why a parent does not let a child in, as far as it tells the child.
public enum HandshakeRefusal: UInt8, Hashable, Sendable, CaseIterable {
    /// There is no room for another link.
    case tableFull = 0
    /// The zone contradicts the certificate: name, role, region or address.
    case identity = 1
    case certificateExpired = 2
    case certificateNotYetValid = 3
    case certificateRevoked = 4
    /// None of the parent's operators signed the certificate, or it is for another zone.
    case certificateUntrusted = 5
    /// A node of the child's role cannot open links.
    case role = 6
    /// The child wanted to reach another node.
    case otherNode = 7
}

/// Authenticated under the secret of child key and epoch key, so that only the parent that got the Open can send it.
public struct RefusedMessage: Hashable, Sendable {
    public var nonce: Nonce
    public var reason: HandshakeRefusal
    public var mac: CookieMAC
    public init(nonce: Nonce, reason: HandshakeRefusal, mac: CookieMAC) {
        self.nonce = nonce
        self.reason = reason
        self.mac = mac
    }
}

public struct OpenedMessage: Hashable, Sendable {
    public var nonce: Nonce
    /// The parent's fresh X25519 key.
    public var parentKey: AgreementPublicKey
    /// A sealed `SealedIdentity`.
    public var sealed: [UInt8]
    public init(nonce: Nonce, parentKey: AgreementPublicKey, sealed: [UInt8]) {
        self.nonce = nonce
        self.parentKey = parentKey
        self.sealed = sealed
    }
}
