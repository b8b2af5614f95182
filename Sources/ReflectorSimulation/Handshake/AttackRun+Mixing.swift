import NodeIdentity
import ReflectorModel

/// Messages that the attacker delivers, often with parts of other messages.
extension AttackRun {
    mutating func mixed(_ cookie: CookieMessage) -> CookieMessage {
        var cookie = cookie
        switch Int.random(in: 0..<8, using: &random) {
        case 0: cookie.epochKey = newKey().publicKey
        case 1: cookie.epochKey = (cookies.randomElement(using: &random) ?? cookie).epochKey
        case 2: cookie.cookie = (cookies.randomElement(using: &random) ?? cookie).cookie
        case 3: cookie.nonce = (hellos.randomElement(using: &random) ?? HelloMessage(nonce: cookie.nonce)).nonce
        default: break
        }
        return cookie
    }

    mutating func mixed(_ open: OpenMessage) -> OpenMessage {
        var open = open
        let other = opens.randomElement(using: &random) ?? open
        switch Int.random(in: 0..<10, using: &random) {
        case 0: open.childKey = newKey().publicKey
        case 1: open.childKey = other.childKey
        case 2: open.sealed = other.sealed
        case 3: open.cookie = (cookies.randomElement(using: &random)?.cookie) ?? open.cookie
        case 4: open.nonce = other.nonce
        default: break
        }
        return open
    }

    mutating func mixed(_ opened: OpenedMessage) -> OpenedMessage {
        var opened = opened
        let other = openeds.randomElement(using: &random) ?? opened
        switch Int.random(in: 0..<10, using: &random) {
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
        let other = refuseds.randomElement(using: &random) ?? refused
        switch Int.random(in: 0..<10, using: &random) {
        case 0: refused.reason = HandshakeRefusal.allCases.randomElement(using: &random) ?? .role
        case 1: refused.mac = other.mac
        case 2: refused.nonce = other.nonce
        case 3: refused.nonce = someNonce() ?? refused.nonce
        default: break
        }
        return refused
    }
}
