import ReflectorModel

@testable import NodeIdentity

/// What must hold at the end of a run.
extension AttackRun {
    func report() -> Report {
        var report = Report()
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
        return report
    }
}

extension LinkSecrets {
    /// All keys of the link, in a fixed order.
    var all: [Secret] { [childToParent, parentToChild, parentToChildSealing] }
}
