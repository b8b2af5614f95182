import ArgumentParser
import ZoneCompiler

/// A rate in an option: bits a second, or with a unit as in zone files: `10Gbps`.
struct BitRate: ExpressibleByArgument, Equatable {
    /// A petabit: no line carries more.
    static let most: UInt64 = 1_000_000_000_000_000

    var bitsPerSecond: UInt64

    init(_ bitsPerSecond: UInt64) { self.bitsPerSecond = bitsPerSecond }

    init?(argument: String) {
        if let number = UInt64(argument), number <= Self.most {
            self.init(number)
        } else if let capacity = Capacity.bitsPerSecond(argument) {
            self.init(capacity)
        } else {
            return nil
        }
    }

    var defaultValueDescription: String { "\(bitsPerSecond)" }
}
