import ReflectorModel
import RelayWire

/// What one witness has told this entrypoint: its newest complete report, and whether it counts as a vote now.
struct WitnessView {
    typealias Outcome = PagedList<WitnessReport.Entry>.Outcome

    private var list = PagedList<WitnessReport.Entry>()
    /// The witness answered a heartbeat and said that it votes, at that time.
    private var votedAt: MonotonicInstant?

    /// The version of the report held; 0 if none.
    var version: UInt64 { list.version }

    subscript(_ stream: StreamName) -> WitnessReport.Entry? { list[stream] }

    mutating func noteReply(isVoting: Bool, at now: MonotonicInstant) { votedAt = isVoting ? now : nil }

    /// Whether its report counts as a vote.
    func isVoting(_ silenceMax: TimeSpan, at now: MonotonicInstant) -> Bool {
        votedAt.map { now - $0 <= silenceMax } ?? false
    }

    /// Takes a page; see `PagedList.take`.
    mutating func take(_ page: WitnessReport, countMax: Int) -> Outcome {
        list.take(page.header, page.entries, countMax: countMax)
    }
}
