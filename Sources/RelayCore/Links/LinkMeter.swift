import ReflectorModel

/// Which links are measured.
struct LinkMeter {
    /// Links that are measured now. Read by tests.
    private(set) var count = 0
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
}
