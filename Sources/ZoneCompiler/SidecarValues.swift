import ReflectorModel

/// Parses the values of sidecar lines: numbers, ranges of portsets and regions, hosts, names. Each function that takes
/// a `ProblemList` reports errors in it.
enum SidecarValues {
    /// Longest name of a set region, region or site.
    static let nameLengthMax = 63

    static func integer(_ word: Word, _ range: ClosedRange<Int>, _ what: String, _ problems: inout ProblemList) -> Int?
    {
        guard let value = plainInteger(word.text), range.contains(value) else {
            problems.error(
                word,
                "'\(word.text)' is not a valid \(what); write a number from "
                    + "\(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return value
    }

    /// The value of a decimal number without sign and leading zeros. Nil for anything else.
    static func plainInteger(_ text: some StringProtocol) -> Int? {
        guard !text.isEmpty, text.utf8.count <= 18, text.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }),
            text.utf8.count == 1 || text.utf8.first != 48
        else { return nil }
        return Int(text)
    }

    static func portset(_ word: Word, _ problems: inout ProblemList) -> PortsetID? {
        if let id = PortsetID(label: word.text) { return id }
        problems.error(word, "'\(word.text)' is not a portset; write s0 to s65535, without leading zeros")
        return nil
    }

    /// Parses `s*`, `s5` or `s5-s9`.
    static func portsets(_ word: Word, _ problems: inout ProblemList) -> ClosedRange<UInt16>? {
        if word.text == "s*" { return 0...65_535 }
        let ends = word.split("-")
        guard ends.count <= 2, let first = ends.first, let last = ends.last else {
            problems.error(word, "'\(word.text)' is not a portset range; write s*, s5 or s5-s9")
            return nil
        }
        guard let low = portset(first, &problems), let high = portset(last, &problems) else { return nil }
        guard low <= high else {
            problems.error(word, "portset range '\(word.text)' runs backwards; write \(high)-\(low)")
            return nil
        }
        return low.rawValue...high.rawValue
    }

    static func region(_ word: Word, _ problems: inout ProblemList) -> RegionID? {
        if let id = RegionID(label: word.text) { return id }
        problems.error(word, "'\(word.text)' is not a region; write r0 to r4294967295, without leading zeros")
        return nil
    }

    /// Parses `r5` or `r5-r9`.
    static func regions(_ word: Word, _ problems: inout ProblemList) -> ClosedRange<UInt32>? {
        let ends = word.split("-")
        guard ends.count <= 2, let first = ends.first, let last = ends.last else {
            problems.error(word, "'\(word.text)' is not a region range; write r5 or r5-r9")
            return nil
        }
        guard let low = region(first, &problems), let high = region(last, &problems) else { return nil }
        guard low <= high else {
            problems.error(word, "region range '\(word.text)' runs backwards; write \(high)-\(low)")
            return nil
        }
        return low.rawValue...high.rawValue
    }

    /// True for text that begins like a region or a range of regions: `r` and a digit, or `r*`.
    static func looksLikeRegion(_ text: String) -> Bool {
        let bytes = Array(text.utf8.prefix(2))
        guard bytes.count == 2, bytes[0] | 0x20 == UInt8(ascii: "r") else { return false }
        return bytes[1] == UInt8(ascii: "*") || (48...57).contains(bytes[1])
    }

    /// A label: letters, digits and inner hyphens, at most 63; returned in lower case.
    static func label(_ word: Word, _ what: String, _ problems: inout ProblemList) -> String? {
        guard isLabel(word.text) else {
            problems.error(
                word,
                "'\(word.text)' is not a valid \(what); use letters, digits and inner hyphens, "
                    + "at most \(nameLengthMax)")
            return nil
        }
        return word.text.lowercased()
    }

    static func isLabel(_ text: some StringProtocol) -> Bool {
        let bytes = Array(text.utf8)
        guard !bytes.isEmpty, bytes.count <= nameLengthMax, bytes.first != 45, bytes.last != 45 else { return false }
        return bytes.allSatisfy { byte in
            (byte | 0x20 >= 97 && byte | 0x20 <= 122) || (byte >= 48 && byte <= 57) || byte == 45
        }
    }

    /// Parses `nyc-1` or `nyc-1:4901`: a host relative to the zone, and its port if given.
    static func host(_ word: Word, port allowed: Bool, _ problems: inout ProblemList) -> (name: Word, port: UInt16?)? {
        let parts = word.split(":")
        guard let first = parts.first, parts.count <= (allowed ? 2 : 1) else {
            problems.error(word, "'\(word.text)' is not a host; write HOST\(allowed ? " or HOST:PORT" : "")")
            return nil
        }
        let labels = first.text.split(separator: ".", omittingEmptySubsequences: false)
        guard first.text.utf8.count <= 200, labels.allSatisfy({ isLabel($0) }) else {
            problems.error(
                first, "'\(first.text)' is not a host name; write it as in the .zone file, without the zone: nyc-1")
            return nil
        }
        var name = first
        name.text = first.text.lowercased()
        guard parts.count == 2 else { return (name, nil) }
        guard let port = integer(parts[1], 1...65_535, "port", &problems) else { return nil }
        return (name, UInt16(port))
    }

    /// Reads a capacity such as `10Gbps`, in bits per second.
    static func capacity(_ word: Word, _ problems: inout ProblemList) -> UInt64? {
        if let capacity = Capacity.bitsPerSecond(word.text) { return capacity }
        problems.error(word, "'\(word.text)' is not a capacity; write 10Gbps, say, in bps, kbps, Mbps, Gbps or Tbps")
        return nil
    }
}

/// Reads the capacity of a line or host, in the syntax of zone files and options.
public enum Capacity {
    private static let units: [(name: String, factor: Double)] = [
        ("tbps", 1e12), ("gbps", 1e9), ("mbps", 1e6), ("kbps", 1e3), ("bps", 1),
    ]

    /// Bits per second of `10Gbps`; nil for anything else.
    public static func bitsPerSecond(_ text: String) -> UInt64? {
        let text = text.lowercased()
        for (unit, factor) in units where text.hasSuffix(unit) {
            let number = text.dropLast(unit.utf8.count)
            guard !number.isEmpty, number.utf8.count <= 12,
                number.utf8.allSatisfy({ ($0 >= 48 && $0 <= 57) || $0 == 46 }), let value = Double(number),
                value > 0, value * factor >= 1, value * factor <= 1e15
            else { return nil }
            return UInt64(value * factor)
        }
        return nil
    }
}
