import NodeIdentity
import ReflectorModel

/// Messages that the attacker delivers, often with parts of other messages.
extension AttackRun {
    mutating func mixed(_ cookie: CookieMessage) -> CookieMessage {
        var cookie = cookie
        switch random.number(below: 8) {
        case 0: cookie.epochKey = newKey().publicKey
        case 1: cookie.epochKey = (random.element(of: cookies) ?? cookie).epochKey
        case 2: cookie.cookie = (random.element(of: cookies) ?? cookie).cookie
        case 3: cookie.nonce = (random.element(of: hellos) ?? HelloMessage(nonce: cookie.nonce)).nonce
        default: break
        }
        return cookie
    }

    mutating func mixed(_ open: OpenMessage) -> OpenMessage {
        var open = open
        let other = random.element(of: opens) ?? open
        switch random.number(below: 10) {
        case 0: open.childKey = newKey().publicKey
        case 1: open.childKey = other.childKey
        case 2: open.sealed = other.sealed
        case 3: open.cookie = (random.element(of: cookies)?.cookie) ?? open.cookie
        case 4: open.nonce = other.nonce
        default: break
        }
        return open
    }

    mutating func mixed(_ opened: OpenedMessage) -> OpenedMessage {
        var opened = opened
        let other = random.element(of: openeds) ?? opened
        switch random.number(below: 10) {
        case 0: opened.parentKey = newKey().publicKey
        case 1: opened.parentKey = other.parentKey
        case 2: opened.sealed = other.sealed
        case 3: opened.nonce = other.nonce
        default: break
        }
        return opened
    }

    mutating func mixed(_ refused: RefusedMessage) -> RefusedMessage {
        var refused = refused
        let other = random.element(of: refuseds) ?? refused
        switch random.number(below: 10) {
        case 0: refused.reason = random.element(of: HandshakeRefusal.allCases) ?? .role
        case 1: refused.mac = other.mac
        case 2: refused.nonce = other.nonce
        case 3: refused.nonce = someNonce() ?? refused.nonce
        default: break
        }
        return refused
    }
}
