import DNSAnswers
import ReflectorModel

/// A fingerprint of a set region's answer, and the cause of its last change.
struct SetChange: Equatable, Sendable {
    /// Maximum length of a cause in bytes: with its key it must fit into a TXT character string of 255 bytes.
    static let causeMax = 200

    var name: String
    /// Fingerprint of the answered hosts, with their addresses, ports and weights.
    var digest: UInt64
    /// Serial of the change.
    var serial: UInt32 = 0
    /// Examples: `zone`, `health nyc-1 dead`, `override drain nyc-1 by alice: new kernel`.
    var cause = "zone"

    init(_ region: ZoneContent.SetRegion, in content: ZoneContent) {
        name = region.name
        var digest: UInt64 = 0x452821e638d01377
        func add(_ word: UInt64) { digest = FixedHash.combine(digest, word) }
        for member in content.answering(region).members {
            let host = content.hosts[member.host]
            for byte in host.name.utf8 { add(UInt64(byte)) }
            add(UInt64(member.port) << 16 | UInt64(member.weight))
            for address in host.addresses {
                add(address.high)
                add(address.low)
            }
        }
        self.digest = digest
    }

    /// One line of the serial file.
    var line: String { "set \(name) \(String(digest, radix: 16)) \(serial) \(cause)" }

    /// Nil for text that is not in the format of `line`.
    init?(line: Substring) {
        let words = line.split(separator: " ", maxSplits: 4, omittingEmptySubsequences: false)
        guard words.count == 5, words[0] == "set", let digest = UInt64(words[2], radix: 16),
            let serial = UInt32(words[3])
        else { return nil }
        (name, self.digest, self.serial, cause) = (String(words[1]), digest, serial, String(words[4]))
    }

    /// Why the answer of `after` differs from that of `before`: the files, an override, or a probe.
    /// - Parameter before: nil if the set region is new, or was served by an earlier process.
    static func cause(before: (ZoneContent, ZoneContent.SetRegion)?, after: (ZoneContent, ZoneContent.SetRegion))
        -> String
    {
        let (content, region) = after
        var decided: [String] = []
        var probed: [String] = []
        if let (old, oldRegion) = before, !isSameInFiles(oldRegion, in: old, region, in: content) { return "zone" }
        for (number, member) in region.members.enumerated() where content.hosts.indices.contains(member.host) {
            let host = content.hosts[member.host].name
            let old = before?.1.members[number]
            if old?.override != member.override {
                if let override = member.override {
                    decided.append("\(override.action.rawValue) \(host) by \(override.by): \(override.reason)")
                } else {
                    decided.append("of \(host) ended")
                }
            }
            if (old?.health ?? .unprobed) != member.health, before != nil || member.health == .dead {
                probed.append("\(host) \(member.health)")
            }
        }
        let cause =
            !decided.isEmpty
            ? "override " + decided.joined(separator: ", ")
            : !probed.isEmpty ? "health " + probed.joined(separator: ", ") : before == nil ? "zone" : "override"
        return String(decoding: cause.utf8.prefix(causeMax), as: UTF8.self)
    }

    /// True if the files alone give the same hosts, in the same order, with the same addresses, ports and capacity.
    private static func isSameInFiles(
        _ a: ZoneContent.SetRegion, in first: ZoneContent, _ b: ZoneContent.SetRegion, in second: ZoneContent
    ) -> Bool {
        guard a.members.count == b.members.count, a.capacity == b.capacity else { return false }
        return zip(a.members, b.members).allSatisfy { one, other in
            one.port == other.port && first.hosts.indices.contains(one.host)
                && second.hosts.indices.contains(other.host) && first.hosts[one.host] == second.hosts[other.host]
        }
    }
}
