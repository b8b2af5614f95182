import ReflectorModel

/// Which links are measured, and what children report of theirs in all.
struct LinkMeter {
    /// Links that are measured now. Read by tests.
    private(set) var count = 0
    /// What children received and missed. Read by the answers to probes.
    private(set) var reports = ReportTotals()
    private let make: (() -> any LinkMeasurements)?

    /// - Parameter make: makes what keeps a link's measurements; without it they are not kept.
    init(_ make: (() -> any LinkMeasurements)?) { self.make = make }

    /// Called when a link gets a subscription: only those are measured. False if there is no room for one more.
    mutating func measure(_ link: any MeasuredLink, countMax: Int) -> Bool {
        guard let make, link.measurements == nil else { return true }
        guard count < countMax else { return false }
        count += 1
        link.measurements = make()
        return true
    }

    /// The link is about to go.
    mutating func stop(_ link: any MeasuredLink) {
        guard link.measurements != nil else { return }
        count -= 1
        link.measurements = nil
    }

    /// Counts a round of reports, if it is time.
    mutating func countReports(at now: MonotonicInstant, _ votes: () -> [ReportTotals.Vote]) {
        if reports.isDue(at: now) { reports.count(votes()) }
    }
}
