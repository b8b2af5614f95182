import NodeIdentity
import ReflectorModel
import ReflectorSimulation
import RelayWire

@testable import RelayCore

/// Makes a mutating call outside `#expect`, which does not accept one.
func did<State: ~Copyable, Result>(_ state: inout State, _ call: (inout State) -> Result) -> Result { call(&state) }

func instant(_ milliseconds: Int64) -> MonotonicInstant { .zero + .milliseconds(milliseconds) }

/// The beginning of a handshake with a parent of this name.
func opening(to name: String) -> any LinkOpening {
    let configuration = RelayConfiguration(name: "child", role: .set)
    let crypto = SimulatedCrypto(operatorKey: 1, seed: 1)
    let opening = crypto.handshakes(for: configuration).begin(
        to: NodeID(name: name), nonce: Nonce(repeatElement(UInt8(name.utf8.count), count: 16))!,
        LinkRequest(childToken: 1))
    return opening
}

/// The end of a handshake with a set reflector of this name, with keys that nobody has.
func openedLink(to name: String) -> OpenedLink {
    OpenedLink(
        keys: LinkKeys(
            childToParent: MACKey(index: 0), parentToChild: MACKey(index: 0), wrapping: WrapKey(index: 0)),
        peer: SimulatedIdentity(name: name, .set, operatorKey: 1).certificate.content,
        grant: LinkGrant(parentToken: 9, leaseMilliseconds: 10_000))
}
