import ReflectorModel
import Testing

@testable import RelayCore

@Suite("Lease of a child's link")
struct ChildLeaseTests {
    private func lease() -> ChildLease { ChildLease(nonce: 1, expires: instant(6_000), now: instant(0)) }

    @Test("The last two nonces renew the lease, an older one does not")
    func nonces() {
        var lease = lease()
        for (number, nonce) in [UInt64(2), 3].enumerated() {
            lease.beginHeartbeat(nonceInterval: .seconds(2), at: instant(Int64(number + 1) * 2_000)) { nonce }
        }
        #expect(lease.nonce == 3)
        #expect(!did(&lease) { $0.renew(by: 1, until: instant(9_000)) })
        #expect(lease.expires == instant(6_000))
        #expect(did(&lease) { $0.renew(by: 2, until: instant(9_000)) })
        #expect(did(&lease) { $0.renew(by: 3, until: instant(10_000)) })
        #expect(lease.expires == instant(10_000))
    }

    @Test("Before the nonce has changed, only the first one renews the lease")
    func firstNonce() {
        var lease = lease()
        #expect(!did(&lease) { $0.renew(by: 0, until: instant(9_000)) })
        #expect(did(&lease) { $0.renew(by: 1, until: instant(9_000)) })
    }

    @Test("A nonce that is echoed again asks for a sign of life")
    func question() {
        var lease = lease()
        #expect(!did(&lease) { $0.noteEcho(of: 1) })
        #expect(did(&lease) { $0.noteEcho(of: 1) })
        #expect(!did(&lease) { $0.noteEcho(of: 2) })
    }

    @Test("All heartbeats of an interval carry the same nonce")
    func interval() {
        var lease = lease()
        lease.beginHeartbeat(nonceInterval: .seconds(2), at: instant(1_999)) { 2 }
        #expect(lease.nonce == 1)
        #expect(lease.lastHeartbeat == instant(1_999))
    }

    @Test("Of several Renews in quick succession, only one is processed in full")
    func turns() {
        var lease = lease()
        #expect(did(&lease) { $0.takeTurn(at: instant(100)) })
        #expect(!did(&lease) { $0.takeTurn(at: instant(119)) })
        #expect(did(&lease) { $0.takeTurn(at: instant(120)) })
    }
}
