import NodeIdentity
import ReflectorModel

extension AttackRun {
    /// What has happened, and what must not happen.
    struct Report {
        var violations: [String] = []
        /// Links between two honest ends that both have finished, renewals included.
        var links = 0
        /// Links of honest ends with the stolen node: allowed, since the attacker is that node.
        var withStolen = 0
        /// Handshakes that gave new keys to a link, as honest children see it.
        var renewals = 0
        /// Children that an honest node has refused.
        var refused = 0
        /// Children that had accepted a key of the attacker's in a Cookie, and that the attacker then refused: it could
        /// as well have dropped their messages.
        var refusedByAttacker = 0
    }

    /// A child believes that it is refused. The node that it wanted must have said so, or another honest node that it is
    /// another one; or the child had accepted a Cookie of the attacker.
    mutating func check(_ refused: RefusedMessage, _ reason: HandshakeRefusal, for child: Child) {
        let own = nodes[child.node].node
        if let refusal = refusals[refused.mac] {
            report.refused += 1
            let isRight = refusal.by == child.target || refusal.reason == .otherNode
            if !isRight || refusal.reason != reason || refusal.nonce != child.handshake.hello.nonce {
                report.violations.append("\(own) wanted \(child.target) and is refused by \(refusal.by): \(reason)")
            }
        } else if child.epochKey.flatMap({ world.maker(of: $0) }) == Self.attacker {
            report.refusedByAttacker += 1
        } else {
            report.violations.append("\(own) is refused in the name of \(child.target)")
        }
    }

    /// What must hold at the end of a run.
    mutating func finish() {
        let thief = nodes[stolen].node
        for view in childViews + parentViews {
            if let target = view.target, view.peer != target {
                report.violations.append("\(view.own) wanted \(target) and got \(view.peer)")
            }
            guard view.peer != thief else {
                report.withStolen += 1
                continue
            }
            for secret in view.secrets.all where world.knows(Self.attacker, secret) {
                report.violations.append("the attacker has a key of \(view.own)'s link with \(view.peer)")
            }
        }
        for child in childViews where child.peer != thief {
            let parents = parentViews.filter { $0.secrets.childToParent == child.secrets.childToParent }
            let isPaired =
                parents.count == 1
                && parents.allSatisfy {
                    $0.own == child.peer && $0.peer == child.own && $0.secrets.all == child.secrets.all
                }
            if isPaired {
                report.links += 1
            } else {
                report.violations.append("\(child.own)'s link with \(child.peer) has \(parents.count) other ends")
            }
        }
        for parent in parentViews {
            let children = childViews.filter { $0.secrets.childToParent == parent.secrets.childToParent }
            guard children.count <= 1, children.allSatisfy({ $0.own == parent.peer && $0.peer == parent.own }) else {
                report.violations.append("\(parent.own)'s link with \(parent.peer) has the key of other nodes")
                continue
            }
        }
        checkRenewals()
    }

    /// A link that gets new keys keeps its ends, and all its keys differ.
    private mutating func checkRenewals() {
        let thief = nodes[stolen].node
        var parentOf: [Int: Int] = [:]
        var childOf: [Int: Int] = [:]
        for child in childViews where child.peer != thief {
            guard let parent = parentViews.first(where: { $0.secrets.childToParent == child.secrets.childToParent })
            else { continue }
            if parentOf.updateValue(parent.link, forKey: child.link) ?? parent.link != parent.link
                || childOf.updateValue(child.link, forKey: parent.link) ?? child.link != child.link
            {
                report.violations.append("\(child.own)'s link with \(child.peer) is renewed as another one")
            }
        }
        for views in [childViews, parentViews] {
            var ends: [Int: View] = [:]
            for view in views {
                let first = ends[view.link] ?? view
                ends[view.link] = first
                if view.own != first.own || view.peer != first.peer {
                    report.violations.append("a link of \(view.own) has changed its ends")
                }
            }
            let secrets = views.flatMap { $0.secrets.all }
            if Set(secrets).count != secrets.count { report.violations.append("a key is used twice") }
        }
    }
}

extension LinkSecrets {
    /// All keys of the link, in a fixed order.
    var all: [Secret] { [childToParent, parentToChild, parentToChildSealing] }
}
