import DNSAnswers
import ReflectorModel

/// What is not in the files: content = files + overrides + health + leads.
struct HostStates: Sendable, Equatable {
    var probing = ZoneContent.Probing.off
    /// A target without an entry is unprobed.
    var health: [ProbeTarget: ZoneContent.Health] = [:]
    var overrides = Overrides()
    var leads = LeadReport()

    /// The files' content with every host's current state.
    func applied(to files: ZoneContent) -> ZoneContent {
        var content = files
        content.probing = probing
        for set in content.setRegions.indices {
            let site = content.setRegions[set].site
            for number in content.setRegions[set].members.indices {
                var member = content.setRegions[set].members[number]
                guard let target = files.target(of: member) else { continue }
                member.health = health[target] ?? .unprobed
                member.override = override(of: target.name, site: site, zone: files.zone)
                content.setRegions[set].members[number] = member
            }
        }
        content.letDrainedStandAside()
        return content.electing(leads, overrides.entrypoints)
    }

    /// The strings that describe these states in the answer for `_status`.
    var notes: [String] {
        let counts = [
            ("alive", health.values.count { $0 == .alive }), ("dead", health.values.count { $0 == .dead }),
            ("unprobed", health.values.count { $0 == .unprobed }),
            ("lossy", health.values.count { if case .lossy = $0 { true } else { false } }),
        ]
        let text = counts.filter { $0.1 > 0 }.map { ", \($0.1) \($0.0)" }.joined()
        return ["health=\(probing)\(text)"] + leads.notes
            + overrides.hosts.map {
                Self.note("\($0.override.action.rawValue) \($0.subject)", $0.zone, $0.override.until, $0.override.by)
                    + $0.override.reason
            }
            + overrides.entrypoints.map {
                Self.note($0.decision, $0.zone, $0.until, $0.by) + $0.reason
            }
    }

    private static func note(_ decision: String, _ zone: String, _ until: Int64, _ operatorName: String) -> String {
        "override=\(decision) in \(zone) until \(UTCTime.text(until)) by \(operatorName): "
    }

    /// A host's own override takes precedence over its site's.
    private func override(of host: String, site: String, zone: String) -> ZoneContent.Override? {
        let own = overrides.hosts.filter { $0.zone == zone }
        return (own.first { $0.subject == .host(host) } ?? own.first { $0.subject == .site(site) })?.override
    }
}

extension ZoneContent {
    /// The content of the files alone.
    var withoutHostStates: ZoneContent {
        var content = self
        content.probing = .off
        content.election = ZoneContent.Election()
        content.outliving = nil
        for set in content.setRegions.indices {
            content.setRegions[set].cause = "zone"
            content.setRegions[set].changedSerial = 0
            content.setRegions[set].standsAside = false
            for member in content.setRegions[set].members.indices {
                content.setRegions[set].members[member].health = .unprobed
                content.setRegions[set].members[member].override = nil
            }
        }
        return content
    }
}
