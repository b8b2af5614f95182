import ArgumentParser
import ReflectorModel

/// Reads the values of `reflector impair`'s options, each with its unit.
enum ImpairmentArgument {
    /// `127.0.0.1:4000` or `[::1]:4000`.
    static func endpoint(_ text: String) throws -> Endpoint {
        guard let endpoint = Endpoint(text) else {
            throw ValidationError("'\(text)' is not an address and port, e.g. 127.0.0.1:4000")
        }
        return endpoint
    }

    /// `127.0.0.1:4000=127.0.0.2:4900`.
    static func mapping(_ text: String) throws -> ImpairmentRelay.Mapping {
        let sides = text.split(separator: "=", omittingEmptySubsequences: false)
        guard sides.count == 2 else { throw ValidationError("'\(text)' is not LISTEN=TARGET") }
        return ImpairmentRelay.Mapping(listen: try endpoint(String(sides[0])), target: try endpoint(String(sides[1])))
    }

    /// `2%` or `0.02`, as a share of one.
    static func share(_ text: String) throws -> Double {
        let percent = text.hasSuffix("%")
        guard let value = Double(percent ? text.dropLast() : text[...]), value.isFinite else {
            throw ValidationError("'\(text)' is not a share, e.g. 2%")
        }
        return percent ? value / 100 : value
    }

    /// `20ms`, `500us`, `1.5s`.
    static func time(_ text: String) throws -> TimeSpan {
        let units = [("ms", 1e6), ("us", 1e3), ("ns", 1), ("s", 1e9)]
        guard let value = scaled(text, units), let nanoseconds = Int64(exactly: value.rounded()) else {
            throw ValidationError("'\(text)' is not a time, e.g. 20ms")
        }
        return TimeSpan(nanoseconds: nanoseconds)
    }

    /// `10Mbps`, `500kbps`, `1.5Gbps`, in bits per second.
    static func rate(_ text: String) throws -> Int64 {
        let units = [("Gbps", 1e9), ("Mbps", 1e6), ("kbps", 1e3), ("bps", 1)]
        guard let value = scaled(text, units), let rate = Int64(exactly: value.rounded()) else {
            throw ValidationError("'\(text)' is not a rate, e.g. 10Mbps")
        }
        return rate
    }

    /// The number before the first unit that ends `text`, times that unit.
    private static func scaled(_ text: String, _ units: [(suffix: String, factor: Double)]) -> Double? {
        guard let unit = units.first(where: { text.hasSuffix($0.suffix) }),
            let value = Double(text.dropLast(unit.suffix.count)), value.isFinite
        else { return nil }
        return value * unit.factor
    }
}
