import ReflectorModel
import RelayWire

/// What a name server knows from its prober about who leads the streams of one zone.
struct LeadReport: Sendable, Equatable {
    /// A stream that another candidate than the first leads, or that nobody leads.
    struct Lead: Sendable, Equatable {
        var stream: StreamName
        /// Host name of the entrypoint, relative to the zone; nil if nobody leads the stream.
        var host: String?
    }

    /// Zone without the final dot; empty if there is none.
    var zone = ""
    /// Sorted by stream; at most `LeadTable.leadsMax`.
    var leads: [Lead] = []

    /// Number of streams that nobody leads.
    var orphaned: Int { leads.count { $0.host == nil } }

    /// The string of `_status`; none if every stream is led by its first candidate.
    var notes: [String] {
        guard !leads.isEmpty else { return [] }
        return ["leads=\(leads.count - orphaned) streams led by a backup, \(orphaned) led by nobody"]
    }
}

/// Merges what the set reflectors report about who leads the streams. A lead counts if more than half of the stream's
/// witnesses name the same entrypoint. Witnesses are the root set reflectors of the stream's portset; those that have
/// answered no probe for `lifetime` are left out. A witness that does not mention a stream says that its first candidate
/// leads it.
///
/// A witness may need several reports to name all its streams, in turn. So a stream that a report does not mention is
/// forgotten only if the witness has named others twice since, and `lifetime` has passed.
///
/// One witness cannot take room from another: each has its own. What it says about a stream that it does not witness, or
/// about an entrypoint that is not the stream's candidate, is refused. So a stolen set reflector alone changes nothing
/// where a second one is alive, and can never lead encoders away from the candidates in the files.
struct LeadTable: Sendable {
    /// How long a report counts after it was last repeated.
    static let lifetime = TimeSpan.seconds(5)
    /// Minimum time between two merges: the answers change at most once a second anyway.
    static let mergeInterval = TimeSpan.milliseconds(200)
    /// Maximum number of leads, and of streams that one witness may name.
    static let leadsMax = 4_096

    private struct Claim {
        /// Nil if nobody leads the stream.
        var source: NodeID?
        /// When the witness last said so, and the time before that.
        var last: MonotonicInstant
        var before: MonotonicInstant?
    }

    private struct Witness {
        var answeredAt: MonotonicInstant
        var claims: [StreamName: Claim] = [:]
        /// What was last said before this has been left out twice.
        var staleBefore = MonotonicInstant.zero
    }

    private var files: StreamWitnesses?
    private var witnesses: [NodeID: Witness] = [:]
    private var isChanged = false
    private var mergeAt = MonotonicInstant.zero
    /// The merged result, sorted by stream.
    private(set) var leads: [LeadReport.Lead] = []
    /// Incremented on every change of `leads`.
    private(set) var revision: UInt64 = 0
    private(set) var counters = LeadCounters()

    /// What the table holds, for the prober's report.
    var report: LeadReport { LeadReport(zone: files?.lines.zone ?? "", leads: leads) }

    /// The zone's files have changed. What they no longer allow is forgotten.
    mutating func replace(_ files: StreamWitnesses?) {
        self.files = files
        for (node, witness) in witnesses {
            witnesses[node]?.claims = witness.claims.filter { stream, claim in
                files?.accepts(claim.source, of: stream, from: node) ?? false
            }
        }
        isChanged = true
    }

    /// Takes what a set reflector reports in answer to a probe.
    mutating func take(_ reported: [ProbeReport.Lead], from node: NodeID, at now: MonotonicInstant) {
        let known = witnesses.removeValue(forKey: node)
        if known == nil { isChanged = true }
        var witness = known ?? Witness(answeredAt: now)
        witness.answeredAt = now
        // A witness without leads leaves out all of them.
        if reported.isEmpty { witness.staleBefore = now }
        for lead in reported {
            let (stream, source) = (lead.stream, lead.source)
            guard files?.accepts(source, of: stream, from: node) ?? false else {
                counters.refused &+= 1
                continue
            }
            let old = witness.claims[stream]
            guard old != nil || witness.claims.count < Self.leadsMax else {
                counters.dropped &+= 1
                continue
            }
            if old == nil || old?.source != source { isChanged = true }
            if let turn = old?.before { witness.staleBefore = max(witness.staleBefore, turn) }
            witness.claims[stream] = Claim(source: source, last: now, before: old?.last)
        }
        witnesses[node] = witness
    }

    /// Forgets what is too old and merges the rest, if the last time is `mergeInterval` ago. In panic mode (`isFrozen`) the
    /// leads stay as they are.
    mutating func update(isFrozen: Bool, at now: MonotonicInstant) {
        guard !isFrozen, now >= mergeAt else { return }
        mergeAt = now + Self.mergeInterval
        expire(at: now)
        guard isChanged else { return }
        isChanged = false
        let merged = merged()
        counters.leftOut = max(merged.count - Self.leadsMax, 0)
        let result = Array(merged.prefix(Self.leadsMax))
        guard result != leads else { return }
        leads = result
        revision &+= 1
    }

    private mutating func expire(at now: MonotonicInstant) {
        for (node, witness) in witnesses {
            if now - witness.answeredAt > Self.lifetime {
                witnesses[node] = nil
                isChanged = true
                continue
            }
            let isStale = { (claim: Claim) in claim.last < witness.staleBefore && now - claim.last > Self.lifetime }
            guard witness.claims.values.contains(where: isStale) else { continue }
            witnesses[node]?.claims = witness.claims.filter { !isStale($0.value) }
            isChanged = true
        }
    }

    /// The leads that a majority reports, sorted by stream.
    private func merged() -> [LeadReport.Lead] {
        guard let files else { return [] }
        var votes: [StreamName: [NodeID?: Int]] = [:]
        for witness in witnesses.values {
            for (stream, claim) in witness.claims { votes[stream, default: [:]][claim.source, default: 0] += 1 }
        }
        var aliveIn: [[Int]: Int] = [:]
        var result: [LeadReport.Lead] = []
        for (stream, count) in votes {
            let roots = files.roots(of: stream)
            let alive = aliveIn[roots] ?? files.witnesses(in: roots).count { witnesses[$0] != nil }
            aliveIn[roots] = alive
            guard let most = count.first(where: { $0.value * 2 > alive }) else { continue }
            let host = most.key.flatMap { files.lines.candidate($0, of: stream) }.map { files.lines.hosts[$0] }
            result.append(LeadReport.Lead(stream: stream, host: host))
        }
        return result.sorted { $0.stream < $1.stream }
    }
}
