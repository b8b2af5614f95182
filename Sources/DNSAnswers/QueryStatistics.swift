/// Query statistics of one responder. The statistics of several responders can be added up.
public struct QueryStatistics: Sendable, Equatable {
    /// Number of types with a counter of their own: 0 to 255. All other types share one counter.
    static let typesMax = 256
    /// Number of response codes with a counter: 0 to BADCOOKIE (RFC 7873).
    static let codesMax = 24
    static let words = AnswerCounter.allCases.count + typesMax + 1 + codesMax
    static let firstType = AnswerCounter.allCases.count
    static let firstCode = firstType + typesMax + 1

    private var words: [UInt64]

    public init() { words = Array(repeating: 0, count: Self.words) }

    init(_ words: UnsafePointer<UInt64>) { self.words = Array(UnsafeBufferPointer(start: words, count: Self.words)) }

    public subscript(counter: AnswerCounter) -> UInt64 { words[counter.rawValue] }

    /// Well-formed queries by type, in ascending order; those of all types above 255 come last, as one entry with type
    /// nil. Types without queries are left out.
    public var types: [(type: UInt16?, count: UInt64)] {
        (0...Self.typesMax).compactMap { type in
            let count = words[Self.firstType + type]
            return count == 0 ? nil : (type == Self.typesMax ? nil : UInt16(type), count)
        }
    }

    /// Replies by response code, in ascending order. Codes that were never sent are left out.
    public var codes: [(code: Int, count: UInt64)] {
        (0..<Self.codesMax).compactMap { code in
            let count = words[Self.firstCode + code]
            return count == 0 ? nil : (code, count)
        }
    }

    public static func += (a: inout QueryStatistics, b: QueryStatistics) {
        for index in a.words.indices { a.words[index] &+= b.words[index] }
    }
}
