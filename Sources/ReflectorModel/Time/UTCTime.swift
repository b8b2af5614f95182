/// Unix time in a readable form.
public enum UTCTime {
    /// `2026-11-27T02:31:05Z` (RFC 3339).
    public static func text(_ seconds: Int64) -> String {
        let (days, rest) = seconds.quotientFloor(86_400)
        // Days since 1 March of year 0, in eras of 400 years.
        let (era, day) = (days + 719_468).quotientFloor(146_097)
        let yearOfEra = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365
        let dayOfYear = day - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfYear - (153 * shifted + 2) / 5 + 1, 2))"
            + "T\(padded(rest / 3_600, 2)):\(padded(rest / 60 % 60, 2)):\(padded(rest % 60, 2))Z"
    }

    private static func padded(_ value: Int64, _ digits: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(digits - text.utf8.count, 0)) + text
    }
}

extension Int64 {
    /// Quotient rounded down, and the remainder, which is never negative.
    fileprivate func quotientFloor(_ divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
