/// Serials of a zone (RFC 1982): a change raises the serial to the largest of the file's serial, the previous serial
/// plus one, and Unix time. The serial never goes backwards as long as the previous one is known, from the state
/// directory or from other servers of the zone (`SerialInquiry`). Date serials are above Unix time until 2034.
public enum ZoneSerial {
    /// True when `a` comes after `b` in serial arithmetic.
    public static func isAfter(_ a: UInt32, _ b: UInt32) -> Bool { a != b && a &- b < 1 << 31 }

    /// The serial of changed content.
    /// - Parameters:
    ///   - last: serial of the previous content; nil if there was none.
    ///   - file: serial in the zone file's SOA.
    ///   - unixTime: seconds since 1970.
    public static func next(after last: UInt32?, file: UInt32, unixTime: Int64) -> UInt32 {
        let time = UInt32(truncatingIfNeeded: unixTime)
        guard let last else { return isAfter(file, time) ? file : time }
        var serial = last &+ 1
        for candidate in [file, time] where isAfter(candidate, serial) { serial = candidate }
        return serial
    }
}
