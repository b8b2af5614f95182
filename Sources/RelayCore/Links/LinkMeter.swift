import ReflectorModel

/// Selects the links that are measured.
struct LinkMeter {
    /// Number of measured links. Read by tests.
    private(set) var count = 0
    private let make: (() -> any LinkMeasurements)?

    /// - Parameter make: creates the storage for a link's measurements; if nil, nothing is recorded.
    init(_ make: (() -> any LinkMeasurements)?) { self.make = make }

    /// Called when a link gets a subscription: only such links are measured. False if there is no room for another one.
    mutating func measure(_ link: any MeasuredLink, countMax: Int) -> Bool {
        guard let make, link.measurements == nil else { return true }
        guard count < countMax else { return false }
        count += 1
        link.measurements = make()
        return true
    }

    /// The link is about to be removed.
    mutating func stop(_ link: any MeasuredLink) {
        guard link.measurements != nil else { return }
        count -= 1
        link.measurements = nil
    }
}
