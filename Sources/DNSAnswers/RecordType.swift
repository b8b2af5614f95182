/// Record types, classes and response codes that the answer path uses (IANA DNS parameters).
enum RecordType {
    static let a: UInt16 = 1
    static let ns: UInt16 = 2
    static let cname: UInt16 = 5
    static let soa: UInt16 = 6
    static let txt: UInt16 = 16
    static let aaaa: UInt16 = 28
    static let srv: UInt16 = 33
    static let opt: UInt16 = 41
    static let ds: UInt16 = 43
    static let tsig: UInt16 = 250
    static let ixfr: UInt16 = 251
    static let axfr: UInt16 = 252
    static let any: UInt16 = 255
}

enum RecordClass {
    static let internet: UInt16 = 1
    static let chaos: UInt16 = 3
    static let any: UInt16 = 255
}

enum ResponseCode {
    static let noError: UInt16 = 0
    static let formatError: UInt16 = 1
    static let nameError: UInt16 = 3
    static let notImplemented: UInt16 = 4
    static let refused: UInt16 = 5
    static let notAuth: UInt16 = 9
    /// Extended: needs the OPT record's upper bits (RFC 6891 §6.1.3).
    static let badVersion: UInt16 = 16
}
