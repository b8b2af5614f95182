extension String {
    /// A name in camel case as Prometheus writes names: `bytesSent` becomes `bytes_sent`. An abbreviation is one word:
    /// `rejectedBadMAC` becomes `rejected_bad_mac`.
    public init(snakeCase name: String) {
        self = ""
        var followsCapital = false
        for character in name {
            if character.isUppercase, !followsCapital { self += "_" }
            followsCapital = character.isUppercase
            self += character.lowercased()
        }
    }
}
